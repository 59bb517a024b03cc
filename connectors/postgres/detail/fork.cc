#include "connectors/postgres/detail/fork.h"

#include <algorithm>
#include <string>

#include "connectors/postgres/detail/findings.h"
#include "connectors/postgres/detail/takeover.h"
#include "connectors/postgres/detail/timelines.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Result;

// Where positions mean nothing any more, numbers still do: they went back together with the rows.
// By hand, since what was delivered and never happened here is for a person to look into.
std::string accept_sql(const ServerIdentity& identity, const PostgresOptions& options) {
  return "with old as (delete from outbox.progress where pipeline = " +
         quote_literal(options.pipeline) +
         " returning *) insert into outbox.progress"
         " (pipeline, system_id, timeline, slot, delivered_seq, epoch) select pipeline, " +
         quote_literal(identity.system_id) + ", " + std::to_string(identity.timeline) +
         ", slot, delivered_seq, epoch + " + std::to_string(kEpochsPerTimeline) +
         " from old; -- the next start reads the rows above delivered_seq again: nothing of them "
         "is "
         "missing, some events come twice";
}

// A commit record begins at its LSN: it is on a timeline that goes on beyond that.
core::Lsn after(core::Lsn commit) { return core::Lsn{commit.valid() ? commit.value + 1 : 0}; }

// So that no later start forgets them before a person has looked.
Result<void> save_orphans(Connection& sql, const SessionRequest::Held& held,
                          const PostgresOptions& options, const Waiter& waiter) {
  const auto rows =
      sql.run("select outbox.progress_save($1, $2, $3, $4, $5, $6, '0/0', 0) as saved",
              {options.pipeline, std::to_string(held.epoch), held.identity.system_id,
               std::to_string(held.identity.timeline), options.slot,
               core::to_string(after(held.last_event))},
              "save what was delivered in", "outbox.progress", waiter);
  if (!rows) return rows.error();
  return {};
}

}  // namespace

std::optional<Finding> judge_identity(const ProgressFacts& saved, const ServerIdentity& identity,
                                      std::optional<core::Lsn> fork,
                                      const PostgresOptions& options) {
  if (!saved.end.valid()) return std::nullopt;  // nothing was ever settled
  const std::string name = "pipeline " + options.pipeline;
  const core::Lsn delivered = std::max(saved.end, saved.commit);
  const std::string start_over =
      "If this history is the right one: " + accept_sql(identity, options);
  if (saved.system_id != identity.system_id) {
    return Finding{Severity::error, "OTHER_SYSTEM",
                   name + " was saved on the cluster with system identifier " + saved.system_id +
                       ", this one is " + identity.system_id,
                   "Let the URL name the right server. " + start_over};
  }
  if (saved.timeline != identity.timeline) {
    if (fork && delivered <= *fork) return std::nullopt;
    return Finding{Severity::error, "OTHER_TIMELINE",
                   name + " delivered events up to " + core::to_string(delivered) +
                       " of timeline " + std::to_string(saved.timeline) +
                       ", the server is on timeline " + std::to_string(identity.timeline) +
                       (fork ? ", which left that one at " + core::to_string(*fork) +
                                   ": what was delivered between the two never happened here"
                             : ", whose history does not know that one") +
                       " (a failover that lost commits, or a restore)",
                   "`outbox verify` lists the records without a row. " + start_over};
  }
  if (saved.end > identity.flushed) {
    return Finding{Severity::error, "WAL_BEHIND_PROGRESS",
                   name + " had settled everything up to " + core::to_string(saved.end) +
                       ", but the server's WAL ends at " + core::to_string(identity.flushed) +
                       " (a restore to an earlier point)",
                   "Compare source and topic with `outbox verify`. " + start_over};
  }
  return std::nullopt;
}

Finding changed_timeline(const ProgressFacts& saved, const ServerIdentity& identity) {
  return {Severity::warning, "TIMELINE_CHANGED",
          "the server is on timeline " + std::to_string(identity.timeline) +
              ", progress was saved on timeline " + std::to_string(saved.timeline) +
              ". After a failover nothing is missing; after a restore to an earlier point, events "
              "that were delivered since then are in the topics and no longer here",
          ""};
}

Error old_primary(const SessionRequest::Held& held, const ServerIdentity& identity,
                  const PostgresOptions& options) {
  return {core::Fault::retry,
          "OLD_TIMELINE",
          "go on with",
          "pipeline " + options.pipeline,
          "the server is on timeline " + std::to_string(identity.timeline) +
              ", and this relay has followed timeline " + std::to_string(held.identity.timeline) +
              " already: it is a primary of before a failover",
          "Let the URL name the new primary, and shut the old one down"};
}

Result<void> follow_timeline_by_number(const SessionRequest::Held& held, const ProgressFacts& saved,
                                       const ServerIdentity& identity,
                                       const PostgresOptions& options) {
  if (identity.timeline < held.identity.timeline) return old_primary(held, identity, options);
  const uint64_t delivered = saved.delivered_seq.value_or(0);
  if (identity.timeline == held.identity.timeline || held.handed_seq <= delivered) return {};
  return Error{core::Fault::fatal,
               "OTHER_TIMELINE",
               "go on with",
               "pipeline " + options.pipeline,
               "rows with seq up to " + std::to_string(held.handed_seq) +
                   " were read on timeline " + std::to_string(held.identity.timeline) +
                   ", and the server, now on timeline " + std::to_string(identity.timeline) +
                   ", knows of progress up to " + std::to_string(delivered) +
                   ": those above it may be other rows here, or none",
               "Start the relay again: it reads from there on. Nothing of what is here is missing, "
               "some events may come twice; `outbox verify` lists the records without a row"};
}

Result<std::optional<core::Lsn>> follow_timeline(Connection& sql, Connection& replication,
                                                 const SessionRequest::Held& held,
                                                 const ServerIdentity& identity,
                                                 const PostgresOptions& options,
                                                 const Waiter& waiter) {
  if (identity.timeline < held.identity.timeline) return old_primary(held, identity, options);
  if (identity.timeline == held.identity.timeline) return std::optional<core::Lsn>();
  const auto fork = read_fork(replication, held.identity.timeline, identity, waiter);
  if (!fork) return fork.error();
  ProgressFacts delivered;
  delivered.system_id = held.identity.system_id;
  delivered.timeline = held.identity.timeline;
  delivered.end = after(held.last_event);
  if (const auto lost = judge_identity(delivered, identity, *fork, options)) {
    if (auto kept = save_orphans(sql, held, options, waiter); !kept) return kept.error();
    return to_error(*lost, "go on with pipeline " + options.pipeline);
  }
  if (!*fork || held.handed <= **fork) return std::optional<core::Lsn>();
  return std::optional(held.handed);
}

}  // namespace outbox::postgres
