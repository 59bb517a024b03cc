#include "relay/app/lag_meter.h"

#include <algorithm>

namespace outbox::app {
namespace {

bool came_by(const Heartbeat& heartbeat, const SettledMarks& settled) {
  return settled.boundary && *settled.boundary >= heartbeat.position;
}

double seconds_of(core::Duration duration) {
  return std::max(0.0, std::chrono::duration<double>(duration).count());
}

}  // namespace

void LagMeter::observe(const std::optional<Heartbeat>& newest, const SettledMarks& settled,
                       core::Now now) {
  if (awaited_ && came_by(*awaited_, settled)) awaited_.reset();
  if (!awaited_ && newest && !came_by(*newest, settled)) awaited_ = newest;

  if (settled.oldest_open_commit) {
    const int64_t age_us = now.wall.us - settled.oldest_open_commit->us;
    seconds_ = seconds_of(std::chrono::microseconds(age_us));
  } else if (awaited_) {
    seconds_ = seconds_of(now.instant - awaited_->at);
  } else if (newest) {
    seconds_ = 0;
  }

  if (newest && came_by(*newest, settled)) {
    events_ = 0;
  } else if (newest && newest->newest_seq && settled.seq != 0) {
    events_ = *newest->newest_seq > settled.seq ? *newest->newest_seq - settled.seq : 0;
  } else {
    events_.reset();
  }
}

}  // namespace outbox::app
