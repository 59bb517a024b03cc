#pragma once
// The Postgres end of a relay, driven by a test instead of a pipeline: it runs source and progress
// store as the runner does (steps, poll(2), interests), keeps what comes out, and settles what the
// test says is settled.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/postgres_source.h"
#include "relay/core/result.h"
#include "tests/conformance/source/server.h"

namespace outbox::conformance {

/// What a test looks at of an item, kept after its chunk is gone.
struct Seen {
  core::ItemKind kind = core::ItemKind::event;
  core::Position position;
  std::string type;  // event_type
  std::optional<std::string> key;
  std::optional<std::string> payload;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  std::string id;
  uint64_t seq = 0;
  int64_t commit_time_us = 0;
};

class RelayEnd {
 public:
  /// `change` may alter the options before anything starts.
  explicit RelayEnd(
      const Database& database,
      const std::function<void(postgres::PostgresOptions&)>& change = [](auto&) {});
  ~RelayEnd();

  /// Steps until `done` or the time is over; says which. Stops at once when a seam returned an
  /// Error, which error() then holds.
  bool run_until(const std::function<bool()>& done,
                 core::Duration limit = std::chrono::seconds(60));
  void run_for(core::Duration time);

  /// Runs until the source streams.
  bool connect();
  /// Runs until `count` events in all came out.
  bool run_until_events(size_t count);

  /// Everything that came out counts as settled from now on: saved, then confirmed.
  void settle_all() { settle_ = true; }
  /// Saves that `settled` is the end of what is settled, `boundary` the last one passed; confirms.
  bool settle(core::Position boundary, core::Position settled);

  /// Takes nothing in while false.
  bool credit = true;
  size_t credit_events = 1024;
  size_t credit_bytes = size_t{8} << 20;

  std::vector<std::string> types() const;  // event_type of every event, in order
  std::vector<Seen> events() const;
  size_t event_count() const { return event_count_; }
  std::vector<Seen> boundaries() const;
  const std::vector<Seen>& items() const { return items_; }

  const std::optional<core::Error>& error() const { return error_; }
  std::string error_code() const { return error_ ? error_->code : ""; }
  std::string error_text() const { return error_ ? core::to_string(*error_) : ""; }
  std::vector<std::string> notice_codes() const;
  std::string notice(const std::string& code) const;

  postgres::WalSource& source() { return *ends_.wal; }
  postgres::ProgressStore& store() { return *ends_.progress; }
  const postgres::PostgresOptions& options() const { return options_; }
  core::HealthState state() const { return ends_.wal->health().state; }
  std::string reason() const { return ends_.wal->health().reason; }
  bool streaming() const { return state() == core::HealthState::ok; }

  void close() { ends_.wal->close(now()); }

  static core::Now now();

 private:
  void step();
  void take_items();
  void settle_more();
  void sleep_until_due(core::Instant limit);
  void fail(const core::Error& error);

  postgres::PostgresOptions options_;
  core::ChunkPool pool_;
  postgres::PostgresPipeline ends_;
  core::Batch batch_;
  std::vector<Seen> items_;
  size_t event_count_ = 0;
  size_t items_settled_ = 0;
  std::vector<postgres::Finding> notices_;
  std::optional<core::Error> error_;

  bool settle_ = false;
  core::Progress wanted_;
  core::Progress saved_;
};

}  // namespace outbox::conformance
