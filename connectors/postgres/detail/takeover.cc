#include "connectors/postgres/detail/takeover.h"

namespace outbox::postgres {

core::Result<ProgressFacts> take_epoch(Connection& sql, const SessionRequest& request,
                                       const ServerIdentity& identity, const std::string& slot,
                                       const Waiter& waiter) {
  const std::string& pipeline = request.options.pipeline;
  const auto rows =
      request.held
          ? sql.run("select * from outbox.progress where pipeline = $1", {pipeline}, "read",
                    "outbox.progress", waiter)
          : sql.run("select * from outbox.progress_take($1, $2, $3, $4)",
                    {pipeline, identity.system_id, std::to_string(identity.timeline), slot},
                    "take the next epoch in", "outbox.progress", waiter);
  if (!rows) return rows.error();
  ProgressFacts saved = progress_of(*rows);
  if (request.held && saved.epoch != request.held->epoch) {
    return core::Error{core::Fault::fatal,
                       "FENCED",
                       "go on with",
                       "pipeline " + pipeline,
                       "another relay took it over: its epoch is " + std::to_string(saved.epoch) +
                           ", ours " + std::to_string(request.held->epoch),
                       "Nothing is lost. Run one relay a pipeline, or start this one again to wait "
                       "behind the other"};
  }
  return saved;
}

core::Error standby_for_now() {
  return {core::Fault::retry,
          "57P03",
          "connect to",
          "Postgres",
          "the server is a standby now; waiting for the primary",
          ""};
}

}  // namespace outbox::postgres
