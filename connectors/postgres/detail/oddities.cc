#include "connectors/postgres/detail/oddities.h"

#include <utility>

namespace outbox::postgres {

void Oddities::tell(const ReaderCounters& counters, const PostgresOptions& options,
                    SharedSlot& shared) {
  if (counters.forged != std::exchange(forged_, counters.forged)) {
    shared.add_notice({Severity::warning, "EMIT_FORGED",
                       "a message that looks like outbox.emit()'s, but cannot be, was passed over",
                       "Find out who may execute pg_logical_emit_message() beside outbox_owner "
                       "and outbox_relay"});
  }
  if (counters.truncates != std::exchange(truncates_, counters.truncates)) {
    shared.add_notice({Severity::warning, "OUTBOX_TRUNCATED",
                       "table " + options.table.text() +
                           " was truncated: what was delivered stays delivered, but its rows can "
                           "no longer be compared or delivered again",
                       ""});
  }
  // Whoever updates one row mostly updates many: told at the first, and when there are twice as
  // many.
  const uint64_t updates = counters.updates_ignored;
  if (options.on_update != OnUpdate::warn || updates < updates_next_) return;
  updates_next_ = updates * 2;
  shared.add_notice({Severity::warning, "OUTBOX_UPDATED",
                     std::to_string(updates) + " rows of " + options.table.text() +
                         " were updated since the relay started; the changes are not delivered",
                     ""});
}

}  // namespace outbox::postgres
