#include "connectors/kafka/undertaker.h"

#include <utility>

namespace outbox::kafka {
namespace {

constexpr size_t kDeadMost = 4;

}  // namespace

Undertaker::Undertaker(std::shared_ptr<Wakeup> wakeup)
    : wakeup_(std::move(wakeup)), thread_([this](const std::stop_token& stop) { run(stop); }) {}

Undertaker::~Undertaker() {
  thread_.request_stop();
  changed_.notify_all();
}

bool Undertaker::full() const {
  const std::lock_guard lock(mutex_);
  return dead_.size() >= kDeadMost;
}

void Undertaker::bury(std::unique_ptr<Producer> producer) {
  {
    const std::lock_guard lock(mutex_);
    dead_.push_back(std::move(producer));
  }
  changed_.notify_all();
}

void Undertaker::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !dead_.empty(); })) {
    // Its place stays taken while it is being destroyed.
    std::unique_ptr<Producer> dying = std::move(dead_.front());
    lock.unlock();
    dying.reset();
    lock.lock();
    dead_.pop_front();
    wakeup_->signal();
  }
}

}  // namespace outbox::kafka
