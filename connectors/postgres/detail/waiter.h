#pragma once
// Waiter: how a background job waits for a socket and can still be called off. Background<T>: one
// such job at a time on a thread of its own, its result fetched by the pipeline without waiting.
//
// Thread: start(), take(), fd() belong to the owner's thread; the job runs on the other one and
// touches only what it was given. Destroying a Background calls the job off and joins it: a job
// must do all its waiting through the Waiter (a DNS look-up is the one thing that cannot be called
// off).

#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "relay/core/assert.h"
#include "relay/core/clock.h"

namespace outbox::postgres {

/// An eventfd: readable once raised, until lowered.
class EventFd {
 public:
  EventFd();
  ~EventFd();
  EventFd(const EventFd&) = delete;
  EventFd& operator=(const EventFd&) = delete;

  int fd() const { return fd_; }
  void raise();
  void lower();

 private:
  int fd_ = -1;
};

enum class Wait { ready, timeout, called_off };

class Waiter {
 public:
  explicit Waiter(const EventFd& call_off) : call_off_(call_off) {}

  /// Until `fd` has one of `events` (POLLIN, POLLOUT), the deadline passes or the job is called
  /// off.
  Wait wait(int fd, short events, core::Instant deadline) const;

  /// Until the deadline or the call-off.
  Wait pause(core::Instant deadline) const;

 private:
  const EventFd& call_off_;
};

template <typename T>
class Background {
 public:
  using Job = std::function<T(const Waiter&)>;

  ~Background() { call_off_.raise(); }

  bool running() const { return running_; }

  /// Becomes readable when take() will return the result.
  int fd() const { return done_.fd(); }

  void start(Job job) {
    OUTBOX_ASSERT(!running_);
    running_ = true;
    done_.lower();
    thread_ = std::jthread([this, job = std::move(job)] {
      T result = job(Waiter(call_off_));
      {
        const std::lock_guard lock(mutex_);
        result_.emplace(std::move(result));
      }
      done_.raise();
    });
  }

  /// The result, once.
  std::optional<T> take() {
    if (!running_) return std::nullopt;
    std::optional<T> result;
    {
      const std::lock_guard lock(mutex_);
      if (!result_) return std::nullopt;
      result = std::move(result_);
      result_.reset();
    }
    thread_.join();
    running_ = false;
    done_.lower();
    return result;
  }

 private:
  EventFd done_;
  EventFd call_off_;
  bool running_ = false;
  std::mutex mutex_;
  std::optional<T> result_;  // guarded by mutex_
  std::jthread thread_;      // last, so that it is joined while the rest still lives
};

}  // namespace outbox::postgres
