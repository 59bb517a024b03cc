#pragma once
// SqlLine: one SQL connection that is never waited for and heals by itself. What is asked is a
// batch of prepared statements, which is one transaction: all of it happens, or nothing. A batch
// may begin and commit by itself instead (add_command); after a failure it must roll back then.
//
//   line.add("outbox_letter", {…}); line.add(…); line.send(now);
//   line.poll(now);  if (auto answers = line.take_answers()) …
//
// Owner: LetterJournal, ReplaySource or ProjectionSink. Thread: the pipeline's; connecting runs in
// a worker thread inside. When the connection is lost while answers are awaited, nobody knows
// whether the batch happened: poll() says so once, and whoever asked asks again what is harmless to
// repeat.

#include <libpq-fe.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/detail/reconnect_delay.h"
#include "connectors/postgres/detail/waiter.h"
#include "connectors/postgres/options.h"
#include "relay/core/clock.h"
#include "relay/core/health.h"
#include "relay/core/result.h"

namespace outbox::postgres {

/// A parameter as its bytes: of a text its characters, of a bytea itself, of a uuid 16 bytes.
using Bytes = std::optional<std::string_view>;

struct PreparedStatement {
  std::string name;
  std::string sql;  // with the parameters' types: "(text, bytea) as select …"
};

class SqlLine {
 public:
  /// `purpose`: what is lost with it, for health(): "the connection that writes dead letters".
  SqlLine(const PostgresOptions& options, std::string purpose,
          std::vector<PreparedStatement> statements, uint64_t seed);
  ~SqlLine();

  enum class Step : uint8_t {
    waiting,
    connected,  // now; the first batch may be sent
    lost,       // now; a batch that was under way is in doubt
  };

  /// Connects, writes, reads. An Error: a statement that the server does not know, so that an older
  /// schema is there (kSchemaTooOld), or no right to it. It may be asked on.
  core::Result<Step> poll(core::Now now);

  /// Connected, and nothing is awaited: a batch may be added and sent.
  bool idle() const { return state_ == State::connected && !awaiting_; }
  bool connected() const { return state_ == State::connected; }

  void add(const char* statement, std::initializer_list<Bytes> parameters);
  /// A statement without parameters that cannot be prepared: "begin", "commit", "rollback".
  void add_command(const char* sql);
  void send(core::Now now);

  /// One result for each statement of the batch, once all are there; in the order of add(). After
  /// the first that failed come some that were not tried (PGRES_PIPELINE_ABORTED).
  std::optional<std::vector<ResultHandle>> take_answers();

  /// The timeline of the server; 0 while not connected.
  uint32_t timeline() const { return timeline_; }

  core::Interest interest() const;
  core::Health health() const;

 private:
  enum class State : uint8_t { resting, connecting, connected };

  struct Opened {
    ConnectionHandle connection;
    uint32_t timeline = 0;
  };
  static core::Result<Opened> open(const PostgresOptions& options,
                                   const std::vector<PreparedStatement>& statements,
                                   const Waiter& waiter);
  core::Result<Step> finish_connecting(core::Now now);
  Step read(core::Now now);
  Step lose(const std::string& why, core::Now now);

  const PostgresOptions options_;
  const std::string purpose_;
  const std::vector<PreparedStatement> statements_;
  ReconnectDelay reconnect_delay_;

  State state_ = State::resting;
  std::string reason_;
  bool ever_connected_ = false;
  core::Instant retry_at_{};

  // While connected.
  ConnectionHandle connection_;
  uint32_t timeline_ = 0;
  core::Instant connected_at_{};
  bool awaiting_ = false;
  bool broken_ = false;  // something could not even be queued
  bool flush_pending_ = false;
  bool complete_ = false;
  core::Instant asked_at_{};
  std::vector<ResultHandle> answers_;

  Background<core::Result<Opened>> worker_;
};

}  // namespace outbox::postgres
