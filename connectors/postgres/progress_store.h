#pragma once
// ProgressStore: a pipeline's progress in outbox.progress, and the heartbeat, both on one SQL
// connection that is never waited for.
//
// Owner: the wiring, by make_postgres_source (postgres_source.h). Thread: the pipeline's;
// connecting runs in a worker thread inside.
//
// A save names the epoch that was taken when the slot was acquired; a row with a newer one refuses
// it, and poll() returns a fatal Error (invariant 8). When the connection breaks while a save is
// under way, nobody knows whether it happened: the same progress is saved again on the next
// connection, which is harmless, and only that answer counts (fault row 6).
//
// The heartbeat writes an empty logical message and reads slot and sequence (detail/heartbeat.h).
// Every few seconds it looks at the sequence and at who writes, for the proven horizon
// (detail/proven_horizon.h), which goes out with the next save.
//
// The heartbeat also proves that our walsender still holds the slot, and that the publication is
// what it was: one that lost the table, and be it for a second, would lose events without a word.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/detail/heartbeat.h"
#include "connectors/postgres/detail/proven_horizon.h"
#include "connectors/postgres/detail/reconnect_delay.h"
#include "connectors/postgres/detail/shared_slot.h"
#include "connectors/postgres/options.h"
#include "connectors/postgres/source_facts.h"
#include "relay/core/checkpoint.h"

namespace outbox::postgres {

/// A connection with its statements prepared, in non-blocking mode.
struct ProgressSession {
  ConnectionHandle connection;
  std::string look;
  uint32_t timeline = 0;
};

class ProgressStore final : public core::Checkpoint {
 public:
  ProgressStore(PostgresOptions options, std::shared_ptr<SharedSlot> shared);
  ~ProgressStore() override;

  bool idle() const override { return !saving_; }
  void save(const core::Progress& progress, uint64_t epoch) override;
  core::Result<std::optional<core::Progress>> poll(core::Now now) override;
  core::Interest interest(core::Instant now) const override;
  core::Health health() const override;

  /// What the last heartbeat saw.
  const SourceFacts& facts() const { return facts_; }

  uint64_t saves() const { return saves_; }
  uint64_t reconnects() const { return reconnects_; }

 private:
  enum class State : uint8_t { waiting, connecting, connected };
  enum class Asked : uint8_t { nothing, save, heartbeat, look };

  struct Save {
    core::Progress progress;
    uint64_t epoch = 0;
  };

  void start_connecting();
  core::Result<void> finish_connecting(core::Now now);
  core::Result<void> failed(const core::Error& error, core::Now now);
  void lose_connection(const std::string& why, core::Now now);

  void ask(core::Now now);
  bool heartbeat_wanted() const;
  bool send_save();
  bool send_heartbeat();
  core::Result<std::optional<core::Progress>> read_answer(core::Now now);
  core::Result<std::optional<core::Progress>> on_answer(ResultHandle result, core::Now now);
  core::Result<std::optional<core::Progress>> on_saved(const Rows& rows);
  core::Result<void> on_heartbeat(const Rows& rows);
  void on_look();
  core::Result<void> check_publication(const PublicationMark& mark);

  PostgresOptions options_;
  std::shared_ptr<SharedSlot> shared_;
  ReconnectDelay reconnect_delay_;

  State state_ = State::waiting;
  std::string reason_;
  core::Instant retry_at_{};
  uint64_t reconnects_ = 0;
  bool ever_connected_ = false;
  bool slot_was_held_ = false;  // when the attempt to connect began

  // While connected.
  ConnectionHandle connection_;
  Asked asked_ = Asked::nothing;
  core::Instant asked_at_{};
  core::Instant connected_at_{};
  bool flush_pending_ = false;
  core::Instant heartbeat_at_{};

  uint32_t timeline_ = 0;
  std::string look_;  // the query; empty: the table has no sequence that may be read
  core::Instant look_at_{};
  std::vector<Rows> look_answers_;
  ProvenHorizon proven_;

  std::optional<Save> saving_;
  uint64_t saves_ = 0;
  SourceFacts facts_;
  bool slot_wal_was_low_ = false;
  std::optional<PublicationMark> publication_;

  Background<core::Result<ProgressSession>> worker_;
};

}  // namespace outbox::postgres
