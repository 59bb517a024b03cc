#pragma once
// FakeSource: hands out what FakeUpstreams hold, as one process's connection would. It starts
// behind the slots' confirmed positions and drops what the saved progress says is settled, so a
// crash is: destroy it, make a new one.

#include <optional>
#include <span>
#include <vector>

#include "relay/core/checkpoint.h"
#include "relay/core/source.h"
#include "tests/support/event_maker.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/witness.h"

namespace outbox::support {

class FakeSource : public core::Source {
 public:
  /// Stream i reads upstreams[i], and resumes behind progress[i] where there is one. Upstreams and
  /// witness outlive the source.
  FakeSource(std::span<FakeUpstream> upstreams, std::span<const core::Progress> progress,
             Witness* witness = nullptr);

  // -- what the world does
  /// Nothing comes and nothing is confirmed until connect(); what was handed out stays handed out.
  void disconnect() { connected_ = false; }
  void connect();
  /// At most so many items a poll, however much there is.
  void items_per_poll(size_t items) { items_per_poll_ = items; }
  /// Confirmed positions reach the slot only with the next status message, send_status(). By
  /// default each goes at once.
  void hold_status() { status_held_ = true; }
  void send_status();
  void fail_with(core::Error error) { error_ = std::move(error); }

  // -- what a test looks at
  /// Something came that the pipeline has not seen: its loop would wake up.
  bool ready() const;
  const std::vector<core::Settled>& confirms() const { return confirms_; }
  const std::vector<core::Credit>& newest_credit() const { return newest_credit_; }
  core::ChunkPool& pool() { return maker_.pool(); }

  core::Result<void> poll(core::Batch& batch, std::span<const core::Credit> credit,
                          core::Now now) override;
  void confirm(const core::Settled& settled) override;
  size_t stream_count() const override { return streams_.size(); }
  core::PositionForm position_form() const override { return core::PositionForm::lsn_ordinal; }
  core::Interest interest(core::Instant) const override { return {}; }
  core::Health health() const override { return {core::HealthState::ok, ""}; }

 private:
  struct Stream {
    FakeUpstream* upstream = nullptr;
    size_t next = 0;         // entry to hand out
    size_t seen = 0;         // entries there at the last poll
    core::Position drop_to;  // events up to here were settled by an earlier process
    core::Position confirmed;
  };

  void read(core::Batch& batch, uint16_t number, core::Credit credit);

  EventMaker maker_;
  std::vector<Stream> streams_;
  Witness* witness_;
  bool connected_ = true;
  bool status_held_ = false;
  size_t items_per_poll_ = SIZE_MAX;
  std::optional<core::Error> error_;
  std::vector<core::Settled> confirms_;
  std::vector<core::Credit> newest_credit_;
};

}  // namespace outbox::support
