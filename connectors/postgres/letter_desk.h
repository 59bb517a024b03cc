#pragma once
// LetterDesk: what operators ask of the dead letters of a pipeline, and do with them
// (outbox-schema/migrations/V004, V005). For `outbox dead-letters` and `outbox verify --repair`.
//
//   LetterDesk desk(options);
//   auto page = desk.page({.filter = …, .limit = 100});
//   auto filed = desk.file({.filter = …, .reason = "topic mended"});
//
// Owner: a command. Thread: one, which waits for the server. Connects with the first call, and
// again with the next one when the connection broke.
//
// Nothing here delivers: the relay of the pipeline executes a job that was filed. Every call that
// changes something is one transaction. When a connection breaks, questions are asked again, and so
// are file() and file_lost(), which file once however often they are asked. Of discard(), edit()
// and control() nobody knows then whether they happened (fault `unknown`).
//
// Errors carry a SQLSTATE: 42501 with the role that is needed, 42P01 and 42883 (an older schema)
// with the command that mends it, 55000 for what is not possible now, P0002 for a job that is not
// there.

#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/lost_batch.h"
#include "connectors/postgres/options.h"
#include "relay/core/letters.h"
#include "relay/core/result.h"

namespace outbox::postgres {

class LetterDesk {
 public:
  explicit LetterDesk(PostgresOptions options);

  /// What is open, by cause; most letters first.
  core::Result<std::vector<core::LetterGroup>> groups();

  /// How many letters page() would give without a limit.
  core::Result<uint64_t> count(const core::LetterQuery& query);

  /// At most `limit` letters, and with payloads a bounded number of bytes but at least one letter.
  /// Empty: there are no more.
  core::Result<std::vector<core::Letter>> page(const core::LetterQuery& query);

  /// What stands around a letter in its lane, and what happened to it.
  core::Result<core::LetterHistory> history(const core::Letter& letter);

  core::Result<core::ReplayFiled> file(const core::ReplayOrder& order);
  /// Makes letters of lost events; one answer for each, in their order. `found_at`: when the
  /// comparison that found them began.
  core::Result<std::vector<core::LostFiled>> file_lost(const LostBatch& batch,
                                                       core::WallTime found_at,
                                                       const std::string& reason);
  core::Result<core::LettersDiscarded> discard(const core::LetterFilter& filter,
                                               const std::string& reason, bool dry_run);
  core::Result<core::LetterEdited> edit(const core::LetterEdit& edit);

  /// The newest jobs of the pipeline, newest first; or the one asked for, if it is the pipeline's.
  core::Result<std::vector<core::ReplayJob>> jobs(std::optional<uint64_t> job, uint64_t limit);
  /// Of a job that jobs() gave.
  core::Result<void> control(uint64_t job, core::ReplayAct act, const std::string& reason);

 private:
  enum class Effect {
    none,
    rehearsal,
    change,
    change_once,  // by a request id: may be asked again
  };

  core::Result<void> connect();
  core::Result<Rows> ask_once(const std::string& sql, const Parameters& parameters,
                              const std::string& op, const std::string& subject);
  bool may_come_back(const core::Error& error) const;
  core::Result<Rows> ask(Effect effect, const std::string& sql, const Parameters& parameters,
                         const std::string& op, const std::string& subject);
  core::Result<Parameters> parameters_of(const core::LetterFilter& filter);
  core::Result<std::optional<std::string>> time_of(const std::optional<core::Moment>& moment);

  const PostgresOptions options_;
  const EventFd never_;
  const Waiter waiter_;
  std::optional<Connection> sql_;
  bool reached_ = false;  // at least once
};

}  // namespace outbox::postgres
