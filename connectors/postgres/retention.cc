#include "connectors/postgres/retention.h"

#include <algorithm>
#include <utility>

#include "connectors/postgres/detail/session.h"
#include "relay/core/assert.h"

namespace outbox::postgres {
namespace {

using core::Duration;
using std::chrono::seconds;

// A mark a minute is what the age of rows is known by (V003); a table with status is read whole.
constexpr Duration kRestMost = seconds(60);
constexpr Duration kRestMostWithStatus = std::chrono::hours(1);
constexpr Duration kRestLeast = seconds(1);

}  // namespace

Retention::Retention(PostgresOptions options) : options_(std::move(options)) {
  OUTBOX_ASSERT(options_.retention > Duration::zero());
  worker_.start([this](const Waiter& waiter) { return work(waiter); });
}

Retention::~Retention() = default;

Duration Retention::rest(const PostgresOptions& options) {
  const Duration most = options.mode == Mode::status ? kRestMostWithStatus : kRestMost;
  return std::clamp<Duration>(options.retention / 20, kRestLeast, most);
}

RetentionFacts Retention::facts() const {
  const std::lock_guard lock(mutex_);
  return facts_;
}

std::vector<Finding> Retention::take_notices() {
  const std::lock_guard lock(mutex_);
  return std::exchange(notices_, {});
}

bool Retention::work(const Waiter& waiter) {
  while (true) {
    const core::Instant next = std::chrono::steady_clock::now() + rest(options_);
    if (waiter.pause(next) == Wait::called_off) return true;
    const core::Result<Round> round = run_round(waiter);
    if (round) {
      note(*round);
    } else {
      note_failure(round.error());
    }
  }
}

core::Result<Round> Retention::run_round(const Waiter& waiter) {
  auto sql = Connection::open(options_.url, ConnectionKind::sql,
                              application_name(options_) + " retention", waiter);
  if (!sql) return sql.error();
  return remove_old(*sql, options_, place_, waiter);
}

void Retention::note(const Round& round) {
  const std::lock_guard lock(mutex_);
  facts_.read_at = std::chrono::steady_clock::now();
  facts_.kept = round.kept;
  facts_.partitions += round.partitions;
  facts_.rows += round.rows;
  facts_.held_by = round.held_by;
  facts_.held_for = round.held_for;
  if (round.partitions > 0) {
    notices_.push_back({Severity::note, "RETENTION",
                        "emptied " + std::to_string(round.partitions) + " partitions of " +
                            options_.table.text() + ", " + std::to_string(round.freed_bytes >> 20) +
                            " MB: everything below seq " + std::to_string(place_.after + 1) +
                            " is gone",
                        ""});
  }
  if (round.held_by.empty() || round.held_for < kRetentionHeldNotice) {
    told_.clear();
    return;
  }
  if (std::exchange(told_, "held") == "held") return;
  notices_.push_back({Severity::warning, "RETENTION_HELD",
                      "rows of " + options_.table.text() +
                          " are old enough to be removed and stay: " + round.held_by,
                      kRetentionHeldRemedy});
}

void Retention::note_failure(const core::Error& error) {
  const std::lock_guard lock(mutex_);
  if (error.code == kOtherAtWork || std::exchange(told_, error.code) == error.code) return;
  notices_.push_back({Severity::warning, "RETENTION_FAILED", core::to_string(error), ""});
}

}  // namespace outbox::postgres
