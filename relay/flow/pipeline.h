#pragma once
// Pipeline: one source's way to one sink, as one sentence repeated by step():
//
//   settle(sink) -> settle(journal) -> confirm(watermark -> progress saved -> source)
//                -> intake(source -> route -> window) -> submit(lanes that are due, then the window
//                in order)
//
// Completions come first, so that memory frees before intake. A cell goes through its purposes one
// at a time: deliver, or deliver, refused, then dead_letter, hold or park; only the last one's
// *durable* settles it. So "dead letter before confirm" is a state here, seen by every golden
// script (invariants 1, 3, 4, 6 and 7).
//
// What the journal keeps comes back through a second source, the replay, as one more stream: its
// cells go deliver, then result. A key with held or parked letters is blocked (blocked_keys.h): its
// new events become letters too. When one letter of a key is refused again, the later ones of the
// same round are put back untouched.
//
// Thread: one thread owns a pipeline and everything it was given. It does no I/O of its own, starts
// no thread and reads no clock; the same step() runs in production, in golden scripts and in the
// simulation. Lifetime: source, router, sink, journal and checkpoint outlive the pipeline's last
// step. The sinks must be destroyed before the pipeline, since their clients still read the bytes
// that the window's cells hold; the pipeline before the source, whose chunks they are. Errors: an
// Error from step() is final: nothing more may be stepped, what is unconfirmed comes again after a
// restart.

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "relay/core/checkpoint.h"
#include "relay/core/lease.h"
#include "relay/core/limits.h"
#include "relay/core/result.h"
#include "relay/core/sink.h"
#include "relay/core/source.h"
#include "relay/flow/blocked_keys.h"
#include "relay/flow/brake.h"
#include "relay/flow/histogram.h"
#include "relay/flow/lanes.h"
#include "relay/flow/retry.h"
#include "relay/flow/router.h"
#include "relay/flow/saved_progress.h"
#include "relay/flow/window.h"

namespace outbox::flow {

struct PipelineOptions {
  size_t window_cells = core::kWindowCells;  // a power of two
  size_t window_bytes = core::kWindowBytes;  // all windows together
  /// Progress is saved at most this often while events settle: what a crash repeats is bounded by
  /// it.
  core::Duration progress_interval = std::chrono::milliseconds(100);
  /// Boundaries without events are saved at most this often, else our own write keeps the system
  /// awake.
  core::Duration idle_progress_interval = std::chrono::seconds(2);
  core::Duration retry_first = std::chrono::milliseconds(20);
  core::Duration retry_most = std::chrono::seconds(10);
  BrakeOptions brake;
  uint64_t seed = 0;  // of the jitter
};

struct RouteCounters {
  uint64_t delivered = 0;  // without the replayed ones
  uint64_t refused = 0;    // the same, whatever became of them then
  uint64_t dead_lettered = 0;
  uint64_t held = 0;    // with those behind them
  uint64_t parked = 0;  // the same
  uint64_t skipped = 0;
  uint64_t replayed = 0;
  uint64_t refused_again = 0;  // replays
  LatencyHistogram commit_to_acknowledged;
};

/// Read by the owner between steps.
struct PipelineCounters {
  uint64_t taken = 0;  // events from the source
  uint64_t taken_bytes = 0;
  uint64_t returned = 0;  // deliveries that came back without effect
  uint64_t retried = 0;   // failed deliveries that are tried again
  uint64_t saves = 0;
  std::vector<RouteCounters> routes;  // as Router::routes()
};

/// The newest refusal, for status and the log.
struct Refusal {
  core::Cause cause;
  core::Position position;         // of an event from the source
  std::optional<uint64_t> letter;  // of one that was replayed, its number
  uint64_t count = 0;              // refusals so far
};

class Pipeline {
 public:
  struct Next {
    bool did_work = false;  // step again at once
    core::Instant wake_at = core::kNever;
  };

  /// `replay`: one stream of letters; null where the journal gives nothing back, and then no route
  /// may hold or park.
  Pipeline(const PipelineOptions& options, core::Source& source, Router& router, core::Sink& sink,
           core::Sink& journal, core::Checkpoint& checkpoint, core::Source* replay = nullptr);
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  core::Result<Next> step(core::Now now, const core::Lease& lease);

  /// Takes no more events in. Steps go on until drained().
  void stop_intake() { taking_ = false; }
  /// Nothing is open, and all that settled is saved and confirmed. Behind the brake: nothing is
  /// under way.
  bool drained() const;

  const PipelineCounters& counters() const { return counters_; }
  const Window& window(core::StreamId stream) const { return windows_[stream.value]; }
  const std::optional<Refusal>& newest_refusal() const { return newest_refusal_; }
  const BlockedKeys& blocked_keys() const { return blocked_; }
  const Brake& brake() const { return brake_; }
  size_t open_cells() const;
  size_t open_bytes() const;
  /// Commit time of the oldest event of the source that is not settled.
  std::optional<core::WallTime> oldest_open_commit() const;
  /// Why nothing is submitted although there is something to submit; empty otherwise.
  const std::string& retry_reason() const {
    return retry_.reason().empty() ? journal_retry_.reason() : retry_.reason();
  }

 private:
  core::Result<void> settle(core::Sink& sink, core::Now now);
  core::Result<void> complete(core::Completion& completion, core::Now now);
  core::Result<void> complete_journal(core::Completion& completion, core::Now now);
  void journal_keeps(const core::Completion& completion, const Cell& done);
  core::Result<void> confirm(core::Now now, const core::Lease& lease);
  core::Result<void> intake(core::Now now);
  void submit(core::Now now, const core::Lease& lease);

  core::Credit credit_of(const Window& window) const;
  void take(core::Item& item);
  Cell& add(core::Ticket& ticket, core::Item& item);
  void settle_cell(core::Ticket ticket);
  void refuse(core::Ticket ticket);
  void keep_behind(core::Ticket ticket);
  void to_journal(core::Ticket ticket, core::Purpose purpose, std::unique_ptr<core::Cause> cause);
  void go_back(core::Ticket ticket);

  bool under_way() const;
  bool is_replay(core::StreamId stream) const { return stream.value == saved_.size(); }
  core::Result<void> intake_replay(core::Now now);
  void take_replay(core::Item& item);
  void confirm_replay();
  void put_back(core::Ticket ticket);
  bool awaits_facts(const core::Destination& destination);
  void replay_settled(const Cell& done);

  enum class Gate : uint8_t { open, wait, closed };
  Gate pass_gate(core::Ticket ticket);
  void submit_deliveries(core::Now now, const core::Lease& lease);
  core::Admission submit_cell(core::Ticket ticket, core::Now now, const core::Lease& lease);
  void submit_journal(core::StreamId stream, core::Now now, const core::Lease& lease);
  core::Admission submit_window(core::StreamId stream, core::Now now, const core::Lease& lease);
  core::Delivery delivery_of(core::Ticket ticket, const Cell& cell, const core::Lease& lease) const;

  void save(core::Now now, const core::Lease& lease);
  core::Instant save_due(const SavedProgress& saved) const;
  core::Instant wake_at(core::Instant now) const;
  /// Rises whenever a cell in a lane may go on.
  uint64_t wait_generation() const { return sink_.wait_generation() + blocked_.generation(); }
  Cell& cell(core::Ticket ticket) { return windows_[ticket.stream.value].at(ticket.index); }
  uint64_t lane_of(core::Ticket ticket);

  PipelineOptions options_;
  core::Source& source_;
  Router& router_;
  core::Sink& sink_;
  core::Sink& journal_;
  core::Checkpoint& checkpoint_;
  core::Source* replay_;

  core::ChunkPool
      detached_;  // bytes of events that left the fast path; before windows_, whose cells hold them
  std::vector<Window> windows_;       // the source's streams, then the replay's
  std::vector<SavedProgress> saved_;  // the source's streams
  size_t next_turn_ = 0;              // the stream to be submitted first
  Lanes lanes_;
  uint64_t lanes_offered_at_ = 0;  // wait_generation() when lanes were last offered
  size_t journal_waiting_ = 0;     // cells that the journal has not admitted
  Brake brake_;                    // engaged: nothing is taken in or delivered any more
  BlockedKeys blocked_;
  bool blocked_known_ = false;  // the replay has named them all
  std::unordered_map<uint64_t, uint64_t>
      stuck_;  // keys refused again in this round, from which cell on
  std::unordered_map<const core::Destination*, uint64_t>
      looked_again_;                          // in this round, with Destination::reads as it was
  std::optional<core::Position> round_told_;  // the boundary of the last round that was confirmed
  Retry retry_;
  Retry journal_retry_;
  bool taking_ = true;
  bool did_work_ = false;

  core::Batch batch_;                          // reused
  std::vector<core::Completion> completions_;  // reused
  std::vector<core::Credit> credit_;           // reused
  PipelineCounters counters_;
  std::optional<Refusal> newest_refusal_;
};

}  // namespace outbox::flow
