#include "connectors/postgres/detail/stream_start.h"

#include "connectors/postgres/detail/findings.h"

namespace outbox::postgres {
namespace {

// All that the text form of a built-in type depends on.
constexpr const char* kTextForms =
    "set datestyle = 'ISO, MDY'; set intervalstyle = 'postgres'; set timezone = 'UTC';"
    " set extra_float_digits = 1; set bytea_output = 'hex'; set lc_monetary = 'C';"
    " set search_path = 'pg_catalog'; set quote_all_identifiers = off";

}  // namespace

core::Result<void> start_streaming(Connection& replication, const PostgresOptions& options,
                                   core::Lsn from, Messages messages, const Waiter& waiter) {
  const bool as_text = !options.captures.empty();
  if (as_text) {
    const auto set =
        replication.run(kTextForms, {}, "fix how values are written in", "the session", waiter);
    if (!set) return set.error();
  }
  const std::string publications = quote_identifier(options.publication);
  const auto started = replication.run(
      "START_REPLICATION SLOT " + quote_identifier(options.slot) + " LOGICAL " +
          core::to_string(from) + " (proto_version '1', publication_names " +
          quote_literal(publications) + ", binary '" + (as_text ? "false" : "true") +
          "', messages '" + (messages == Messages::read ? "true" : "false") + "')",
      {}, "start replication from", "slot " + options.slot, waiter);
  if (!started) return started.error();
  return {};
}

core::Error held_by(Connection& sql, const std::string& slot, core::Error error,
                    const Waiter& waiter) {
  if (error.code != "55006") return error;
  const auto rows = sql.run(
      "select s.active_pid::text || coalesce(' (' || nullif(a.application_name, '') || ')', '')"
      "       || coalesce(' on ' || host(a.client_addr), '') as who"
      " from pg_replication_slots s left join pg_stat_activity a on a.pid = s.active_pid"
      " where s.slot_name = $1 and s.active_pid is not null",
      {slot}, "ask who holds", "slot " + slot, waiter);
  if (rows && !rows->empty()) error.detail = "it is held by pid " + rows->value("who");
  error.hint = "One relay a slot: this one waits and asks again every second";
  return error;
}

}  // namespace outbox::postgres
