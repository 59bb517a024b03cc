#pragma once
// PollReader: the conversation of a poll on a connection that it is given: look, flush, rows. What
// mode = "poll" runs on, and what delivers while a slot is waited for.
//
// Owner: PollSource or InterimPoll. Thread: the pipeline's; nothing waits. The chunk pool outlives
// it.
//
// A poll, never one statement (horizon.h has the argument):
//   1. look: the sequence's last value, then who may still commit rows; of these the Horizon makes
//      the number up to which nothing can come any more. With it the insert and flush positions of
//      the WAL.
//   2. flush, only if something is to be read and the flush position is behind the insert position:
//      a row of an asynchronous commit that a crash takes back was never there (invariant 2), and
//      its number would be given to another. Whoever is no holder any more wrote its commit record
//      before the look, so the insert position read there covers every row up to the horizon.
//   3. rows up to the horizon by COPY, in order, as many as there is credit for. They are final:
//      what does not fit is read next, without looking again.
// After the last row comes a boundary at the horizon, so that numbers of rolled back transactions
// pass too. Positions are (seq, 0).
//
// How often: at once while there is more, every millisecond or two while events come, then more and
// more rarely up to `poll_interval_most`. Never NOTIFY: it makes commits wait for one another.
//
// Without credit it looks once a second, to keep its lease and to know the lag, and reads no rows.
// A COPY that waits for credit keeps a snapshot open, which keeps vacuum from its work; after 5 s
// it is given up with its connection, and its rows are read again later.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "connectors/postgres/detail/copy_reader.h"
#include "connectors/postgres/detail/horizon.h"
#include "connectors/postgres/detail/look.h"
#include "connectors/postgres/detail/poll_pace.h"
#include "connectors/postgres/detail/poll_session.h"
#include "connectors/postgres/detail/shared_slot.h"
#include "connectors/postgres/detail/socket_reader.h"
#include "connectors/postgres/options.h"
#include "connectors/postgres/source_facts.h"
#include "relay/core/health.h"
#include "relay/core/source.h"

namespace outbox::postgres {

class PollReader {
 public:
  PollReader(PostgresOptions options, core::ChunkPool& pool, std::shared_ptr<SharedSlot> shared);

  /// Reads rows above `delivered_seq`, or above cursor() where that is higher. Nobody is known as a
  /// holder, and the horizon begins there: all up to it was durable before it was handed out. An
  /// Error: the columns are none of an outbox.
  core::Result<void> begin(ConnectionHandle connection, PollStatements statements,
                           uint64_t delivered_seq, core::Now now);

  /// Closes the connection, at any moment: what was handed out counts, the rest comes again.
  void end();

  enum class Step : uint8_t {
    waiting,
    heard,  // the server said something
    lost,   // the connection is closed; why() says it
  };

  /// An Error is fatal: a row that is none, a sequence that stands below what was read (its next
  /// rows would never be seen).
  core::Result<Step> poll(core::Batch& batch, core::Credit credit, core::Now now);

  bool polling() const { return connection_ != nullptr; }
  const std::string& why() const { return why_; }

  /// Every committed row up to here was handed out, now and for ever.
  uint64_t cursor() const { return cursor_; }

  /// The commit of every row that was handed out lies before this.
  core::Lsn covered() const { return covered_; }

  const PollFacts& facts() const { return facts_; }

  /// Who keeps rows back, once that has lasted for long; empty otherwise.
  std::string held_back() const;

  core::Interest interest(core::Instant now) const;

 private:
  enum class State : uint8_t {
    resting,  // until the next look, or for credit
    looking,
    flushing,
    copying,
    ending,  // every row came; the server's last word is awaited
  };

  core::Result<void> step(core::Batch& batch, core::Credit credit, core::Now now);
  void rest(core::Now now);
  void ask(const std::string& query, State next, core::Now now);
  core::Result<void> await_answer(core::Batch& batch, core::Now now);
  core::Result<void> on_answer(core::Batch& batch, core::Now now);
  core::Instant give_up_at() const;
  void give_up_if_late(core::Now now);
  core::Result<void> on_look(core::Now now);
  void start_copy(core::Now now);
  core::Result<void> copy(core::Batch& batch, core::Credit credit, core::Now now);
  void end_copy(core::Batch& batch, core::Now now);
  void add_boundary(core::Batch& batch) const;
  bool answer_ready();
  bool read_socket();
  void refused(const PGresult* result);
  void lose(std::string why);
  void note_look(const Look& look, core::Now now);
  std::string held_back_reason() const;
  core::Error moved_back(uint64_t last_value) const;

  PostgresOptions options_;
  std::shared_ptr<SharedSlot> shared_;
  CopyReader reader_;
  Horizon horizon_;
  PollPace pace_;

  uint64_t cursor_ = 0;
  core::Lsn covered_;
  PollFacts facts_;
  bool held_back_told_ = false;
  std::string why_;

  // While connected.
  ConnectionHandle connection_;
  SocketReader socket_;
  PollStatements statements_;
  State state_ = State::resting;
  bool unannounced_ = false;  // where it begins, to whoever measures lag
  bool has_credit_ = false;
  bool more_at_hand_ = false;  // the last poll ended by its credit, not by an empty socket
  bool heard_ = false;         // in this poll
  core::Instant heard_at_{};
  core::Instant look_at_{};
  std::vector<Rows> answers_;  // of the look at hand
  bool copy_began_ = false;    // the server has begun to send
  uint64_t copy_horizon_ = 0;  // of the COPY at hand
};

}  // namespace outbox::postgres
