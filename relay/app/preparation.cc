#include "relay/app/preparation.h"

#include <chrono>
#include <utility>

namespace outbox::app {
namespace {

constexpr auto kAgainAfter = std::chrono::seconds(1);
// A refused password is not hammered at a server; some lock the account.
constexpr auto kAgainAfterRefusal = std::chrono::seconds(30);

}  // namespace

Preparation::Preparation(std::function<core::Result<void>()> look, Wakeup& changed)
    : look_(std::move(look)),
      changed_(changed),
      health_{core::HealthState::starting, "looking at what must be there before the first event"},
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Preparation::~Preparation() = default;

std::optional<core::Error> Preparation::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

core::Health Preparation::health() const {
  const std::lock_guard lock(mutex_);
  return health_;
}

void Preparation::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const core::Result<void> looked = look_();
    std::unique_lock lock(mutex_);
    if (looked) {
      health_ = core::Health{core::HealthState::ok, ""};
      return;
    }
    health_ = core::Health{core::HealthState::waiting, core::to_string(looked.error())};
    if (looked.error().fault != core::Fault::retry) {
      failure_ = looked.error();
      changed_.signal();
      return;
    }
    const auto pause = looked.error().code == "NOT_LET_IN" ? kAgainAfterRefusal : kAgainAfter;
    stopping_.wait_for(lock, stop, pause, [] { return false; });
  }
}

}  // namespace outbox::app
