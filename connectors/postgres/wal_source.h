#pragma once
// WalSource: outbox inserts out of Postgres's write-ahead log, by logical replication (pgoutput,
// protocol 1). One stream, the replication slot; positions are (commit LSN, ordinal).
//
// Owner: the wiring, by make_postgres_source (postgres_source.h). Thread: the pipeline's;
// connecting and whatever else waits runs in a worker thread inside. The chunk pool outlives the
// source.
//
// Start: the constructor touches nothing. poll() starts to connect; until the slot is acquired, the
// epoch taken and the saved progress checked against the slot (detail/session.h) it brings nothing
// and health() says what is awaited. What cannot heal comes back as a fatal Error from poll(): a
// gap that the table cannot close, a publication that does not publish the table's inserts,
// wal_level, another cluster, a timeline that lacks what was delivered, a newer epoch, an unknown
// message.
//
// Where the slot does not bring what comes next (gone, invalidated, ahead of saved progress, or the
// pipeline was polled until now), the rows of the table above `delivered_seq` come first, in the
// snapshot that a new slot exports; then its stream (detail/gap.h, detail/refill.h). Where Postgres
// takes long to make the slot, which waits for every open write transaction, they are polled
// meanwhile (detail/interim_poll.h).
//
// Loss of the connection heals: with full jitter, within about a second after the server is back.
// Events that were handed out are not handed out again by this process.
//
// Keeping the connection: a status message with the confirmed LSN goes out every second, also while
// there is no credit and the socket is not read, so that wal_sender_timeout never fires while a
// sink is stalled. A server that says nothing for 2 s is asked for an answer; after 10 s of silence
// the connection is given up, unless a heartbeat saw our walsender alive.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/detail/interim_poll.h"
#include "connectors/postgres/detail/nap.h"
#include "connectors/postgres/detail/oddities.h"
#include "connectors/postgres/detail/refill_reader.h"
#include "connectors/postgres/detail/session.h"
#include "connectors/postgres/detail/session_attempts.h"
#include "connectors/postgres/detail/shared_slot.h"
#include "connectors/postgres/detail/socket_reader.h"
#include "connectors/postgres/detail/wal_reader.h"
#include "connectors/postgres/finding.h"
#include "connectors/postgres/options.h"
#include "relay/core/lease.h"
#include "relay/core/source.h"

namespace outbox::postgres {

class WalSource final : public core::Source {
 public:
  WalSource(PostgresOptions options, core::ChunkPool& pool, std::shared_ptr<SharedSlot> shared);
  ~WalSource() override;

  core::Result<void> poll(core::Batch& batch, std::span<const core::Credit> credit,
                          core::Now now) override;
  void confirm(const core::Settled& settled) override;
  size_t stream_count() const override { return 1; }
  core::PositionForm position_form() const override { return core::PositionForm::lsn_ordinal; }
  core::Interest interest(core::Instant now) const override;
  core::Health health() const override;

  /// Epoch and time limit of the right to act; `until` is past while the slot is not held.
  core::Lease lease() const;

  /// The progress that was saved when the slot was acquired; nothing before.
  const std::optional<core::Progress>& resumed() const { return resumed_; }

  /// The highest LSN that the server was told it may forget up to.
  core::Lsn confirmed() const { return shared_->confirmed; }

  /// While the table is polled because a new slot is waited for: what the last look saw, and the
  /// position of its newest row. Nothing else lies at that position or beyond.
  struct Interim {
    PollFacts facts;
    core::Position newest;
  };
  std::optional<Interim> interim() const;

  const ReaderCounters& counters() const { return reader_.counters(); }
  uint64_t reconnects() const { return attempts_.reconnects(); }

  /// What a person should read in the log once: the slot that was made and how many rows are older,
  /// warnings about the server, a TRUNCATE of the outbox, a slot that is about to be lost. Emptied
  /// by the call.
  std::vector<Finding> take_notices();

  /// Says goodbye: sends the last confirmed LSN and waits, a second at most, until the server has
  /// ended the stream, so that the next start repeats nothing that was confirmed. Nothing comes out
  /// afterwards.
  void close(core::Now now);

 private:
  enum class State : uint8_t { connecting, refilling, streaming, closed };
  enum class Drained : uint8_t { socket_empty, credit_used, connection_lost };

  core::Result<void> connect(core::Batch& batch, core::Credit credit, core::Now now);
  core::Result<void> poll_meanwhile(core::Batch& batch, core::Credit credit, core::Now now);
  void adopt(const ServerIdentity& identity, const core::Progress& saved);
  core::Result<void> begin_refill(Refill refill, core::Now now);
  core::Result<void> refill(core::Batch& batch, core::Credit credit, core::Now now);
  void begin_streaming(Session session, core::Now now);
  Drained lose_connection(const std::string& why, core::Now now);

  core::Result<void> stream(core::Batch& batch, core::Credit credit, core::Now now);
  core::Result<Drained> drain(core::Batch& batch, core::Credit credit, core::Now now);
  void after_drain(Drained drained, uint64_t events, core::Now now);
  std::string stream_error();

  void send_due_status(core::Now now);
  bool send_status(bool ask_reply, core::Now now);
  bool silent_too_long(core::Now now) const;
  void await_end_of_stream();

  PostgresOptions options_;
  std::shared_ptr<SharedSlot> shared_;
  WalReader reader_;
  InterimPoll interim_;
  RefillReader refill_;
  Nap nap_{Nap::kLengthTcp};

  State state_ = State::connecting;
  core::Duration silence_max_ = std::chrono::seconds(10);
  std::optional<core::Progress> resumed_;
  Oddities oddities_;

  // While streaming.
  ConnectionHandle connection_;
  SocketReader socket_;
  bool had_credit_ = false;    // in the last poll
  bool more_at_hand_ = false;  // the last poll ended by its credit, not by an empty socket
  bool flush_pending_ = false;
  core::Instant streaming_since_{};
  core::Instant heard_at_{};  // last message, or when reading began again
  core::Instant status_at_{};
  core::Instant asked_at_{};
  core::Instant nap_until_{};

  SessionAttempts<Session> attempts_;
};

}  // namespace outbox::postgres
