#include "connectors/postgres/projection_sink.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "connectors/postgres/detail/letter_text.h"
#include "connectors/postgres/detail/projection_refusal.h"
#include "connectors/postgres/detail/projection_sql.h"
#include "relay/core/assert.h"

namespace outbox::postgres {
namespace {

using core::Admission;
using core::Completion;
using core::Delivery;
using core::Outcome;

constexpr size_t kBatchEventsMax = 500;
constexpr size_t kBatchBytesMax = 1024 * 1024;
constexpr core::Duration kMendPause = std::chrono::milliseconds(500);

constexpr const char* kBegin = "begin isolation level read committed";
constexpr const char* kWrite = "outbox_projection_write";
constexpr size_t kBeforeEvents = 1;  // statements of a batch before its first event

// A statement that ran into the time limit may have met a slow moment. One that always does is at
// fault itself, and would keep all others waiting for ever.
constexpr std::string_view kQueryCanceled = "57014";
constexpr uint32_t kCanceledMost = 5;

PostgresOptions connection_of(const ProjectionOptions& options) {
  PostgresOptions connection;
  connection.url = options.url;
  connection.pipeline = options.pipeline;
  return connection;
}

bool done(const PGresult* answer) {
  const ExecStatusType status = PQresultStatus(answer);
  return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
         status == PGRES_PIPELINE_ABORTED;
}

}  // namespace

ProjectionSink::ProjectionSink(ProjectionOptions options)
    : options_(std::move(options)),
      line_(connection_of(options_), "the connection that writes to " + options_.target.text(),
            {{kWrite, projection_statement(options_)}}, options_.jitter_seed + 3),
      batch_events_max_(kBatchEventsMax) {
  destinations_.emplace_back().name = options_.target.text();
}

const core::Destination& ProjectionSink::destination(std::string_view name) {
  const auto known =
      std::find_if(destinations_.begin(), destinations_.end(),
                   [name](const core::Destination& one) { return one.name == name; });
  if (known != destinations_.end()) return *known;
  const auto id = static_cast<uint32_t>(destinations_.size());
  return destinations_.emplace_back(
      core::Destination{std::string(name), id, core::DestinationState::missing});
}

Admission ProjectionSink::submit(const Delivery& delivery, core::Now) {
  OUTBOX_ASSERT(delivery.purpose == core::Purpose::deliver);
  const size_t bytes = delivery.event->bytes();
  const size_t count = gathering_.deliveries.size();
  if (count >= batch_events_max_) return Admission::full;
  if (count > 0 && gathering_.bytes + bytes > kBatchBytesMax) return Admission::full;
  gathering_.deliveries.push_back(delivery);
  gathering_.bytes += bytes;
  return Admission::admitted;
}

void ProjectionSink::poll(std::vector<Completion>& completions, core::Now now) {
  const auto step = line_.poll(now);
  if (!step) {
    reason_ = "cannot write to " + options_.target.text() + ": " + step.error().detail +
              "; `outbox doctor` shows what mends it";
    return;
  }
  if (*step == SqlLine::Step::connected) {
    reason_.clear();
    destinations_.front().state = core::DestinationState::usable;
  }
  if (*step == SqlLine::Step::lost) lost(completions);
  if (const auto answers = line_.take_answers()) {
    if (rolling_back_) {
      rolling_back_ = false;
    } else {
      settle(*answers, completions, now);
    }
  }
  if (!line_.idle() || now.instant < write_at_) return;
  if (outside_.deliveries.empty()) std::swap(outside_, gathering_);
  if (!outside_.deliveries.empty()) write(now);
}

// Whether the batch was committed nobody knows, and need not: its events come again and do nothing
// if it was. It comes in halves, for it may have taken longer than answers are awaited.
void ProjectionSink::lost(std::vector<Completion>& completions) {
  rolling_back_ = false;
  if (outside_.deliveries.size() < 2) return;
  batch_events_max_ = outside_.deliveries.size() / 2;
  give_back(completions);
}

void ProjectionSink::write(core::Now now) {
  line_.add_command(kBegin);
  for (const Delivery& delivery : outside_.deliveries) add_event(delivery);
  line_.add_command("commit");
  line_.send(now);
}

void ProjectionSink::add_event(const Delivery& delivery) {
  const core::Event& event = *delivery.event;
  const std::string_view id(reinterpret_cast<const char*>(event.id.bytes.data()),
                            event.id.bytes.size());
  const std::string headers = headers_text(event.headers);
  const std::string commit_time = std::to_string(event.commit_time.us);
  line_.add(kWrite, {options_.pipeline, id, event.aggregate_type, event.aggregate_id,
                     event.event_type, event.payload, headers, commit_time});
}

void ProjectionSink::settle(const std::vector<ResultHandle>& answers,
                            std::vector<Completion>& completions, core::Now now) {
  const auto failed = std::find_if(answers.begin(), answers.end(),
                                   [](const ResultHandle& one) { return !done(one.get()); });
  if (failed != answers.end()) {
    rolling_back_ = true;
    line_.add_command("rollback");
    line_.send(now);
    return refused(failed->get(), static_cast<size_t>(failed - answers.begin()), completions, now);
  }
  for (const Delivery& delivery : outside_.deliveries) {
    complete(delivery, Outcome::durable, completions);
  }
  outside_ = {};
  reason_.clear();
  batch_events_max_ = std::min(batch_events_max_ * 2, kBatchEventsMax);
}

// `place`: of the statement that failed.
void ProjectionSink::refused(const PGresult* failed, size_t place,
                             std::vector<Completion>& completions, core::Now now) {
  const core::Error error = error_of(failed, "write to", options_.target.text());
  const Refusal refusal = refusal_of(error.code);
  const bool of_an_event =
      place >= kBeforeEvents && place < kBeforeEvents + outside_.deliveries.size();
  if (refusal == Refusal::of_all || place < kBeforeEvents) {
    return wait_for_mend(core::to_string(error), now);
  }
  if (!of_an_event && outside_.deliveries.size() > 1) {
    batch_events_max_ = outside_.deliveries.size() / 2;
    return give_back(completions);
  }
  const size_t culprit = of_an_event ? place - kBeforeEvents : 0;
  const Delivery& delivery = outside_.deliveries[culprit];
  const bool always = error.code == kQueryCanceled && delivery.attempts >= kCanceledMost;
  const bool rejected = refusal == Refusal::of_the_event || always;
  complete(delivery, rejected ? Outcome::reject : Outcome::retry, completions);
  completions.back().cause =
      std::make_unique<core::Cause>(core::Cause{error.code, core::to_string(error)});
  outside_.deliveries.erase(outside_.deliveries.begin() + static_cast<ptrdiff_t>(culprit));
  give_back(completions);
}

void ProjectionSink::wait_for_mend(std::string reason, core::Now now) {
  reason_ = std::move(reason);
  write_at_ = now.instant + kMendPause;
}

// What was gathered meanwhile, too: it may stand behind what failed.
void ProjectionSink::give_back(std::vector<Completion>& completions) {
  for (const Batch* batch : {&outside_, &gathering_}) {
    for (const Delivery& delivery : batch->deliveries) {
      complete(delivery, Outcome::returned, completions);
    }
  }
  outside_ = {};
  gathering_ = {};
}

void ProjectionSink::complete(const Delivery& delivery, Outcome outcome,
                              std::vector<Completion>& completions) {
  Completion completion;
  completion.ticket = delivery.ticket;
  completion.outcome = outcome;
  completions.push_back(std::move(completion));
}

core::Interest ProjectionSink::interest(core::Instant now) const {
  core::Interest interest = line_.interest();
  const bool work = !outside_.deliveries.empty() || !gathering_.deliveries.empty();
  if (line_.idle() && work && write_at_ > now) interest.wake_at = write_at_;
  return interest;
}

core::Health ProjectionSink::health() const {
  if (!reason_.empty()) return {core::HealthState::waiting, reason_};
  core::Health health = line_.health();
  if (health.state == core::HealthState::waiting) {
    health.reason = "nothing can be written to " + options_.target.text() + ": " + health.reason;
  }
  return health;
}

}  // namespace outbox::postgres
