#pragma once
// FakeCheckpoint: outbox.progress as a relay's connection sees it, over a ProgressStore that
// survives crashes and connections.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "relay/core/checkpoint.h"
#include "tests/support/witness.h"

namespace outbox::support {

/// What is durable: one row a stream, and the epoch of the newest relay.
struct ProgressStore {
  explicit ProgressStore(size_t streams);

  std::vector<core::Progress> rows;
  uint64_t epoch = 0;
};

class FakeCheckpoint : public core::Checkpoint {
 public:
  enum class Saves {
    at_once,  // durable at the next poll
    held,     // durable when the test calls complete()
  };
  enum class Reached { no, yes };

  /// The store and the witness outlive the checkpoint.
  explicit FakeCheckpoint(ProgressStore& store, Witness* witness = nullptr)
      : store_(store), witness_(witness) {}

  // -- what the world does
  void saves(Saves how) { how_ = how; }
  /// The save under way becomes durable, and the next poll reports it.
  void complete();
  /// The connection goes; the save under way reached the store or not, and nobody here knows. It is
  /// repeated after reconnect().
  void disconnect(Reached reached);
  void reconnect() { connected_ = true; }
  void fail_with(core::Error error) { error_ = std::move(error); }

  // -- what a test looks at
  bool saving() const { return saving_.has_value(); }
  /// The next poll has something to report.
  bool ready() const {
    return durable_ || error_ || (saving_ && connected_ && how_ == Saves::at_once);
  }
  uint64_t save_count() const { return save_count_; }
  const core::Progress& newest_save() const { return newest_; }
  /// What it was told of refused events: position and code.
  const std::vector<std::pair<core::Position, std::string>>& refusals() const { return refusals_; }

  bool idle() const override { return !saving_ && !durable_ && !error_; }
  void save(const core::Progress& progress, uint64_t epoch) override;
  void refused(core::StreamId, core::Position position, const core::Cause& cause) override {
    refusals_.emplace_back(position, cause.code);
  }
  core::Result<std::optional<core::Progress>> poll(core::Now now) override;
  core::Interest interest(core::Instant) const override { return {}; }
  core::Health health() const override { return {core::HealthState::ok, ""}; }

 private:
  bool write();

  ProgressStore& store_;
  Witness* witness_;
  Saves how_ = Saves::at_once;
  bool connected_ = true;
  std::optional<core::Progress> saving_;   // started, and as far as is known not durable
  std::optional<core::Progress> durable_;  // to be reported by the next poll
  std::optional<core::Error> error_;
  core::Progress newest_;
  uint64_t epoch_ = 0;
  uint64_t save_count_ = 0;
  std::vector<std::pair<core::Position, std::string>> refusals_;
};

}  // namespace outbox::support
