#pragma once
// Preparation: what must be there before the first event (dead-letter topics), looked at on a
// thread of its own, so that a sink that cannot be reached keeps nobody else waiting: the source
// makes its slot all the same, and what is committed meanwhile is kept.
//
// Thread: all public calls from the pipeline's. The destructor waits for the look under way, some
// seconds at most.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "relay/app/wakeup.h"
#include "relay/core/error.h"
#include "relay/core/health.h"
#include "relay/core/result.h"

namespace outbox::app {

class Preparation {
 public:
  /// `look` is called again and again until it succeeds or fails for good. `changed` is signalled
  /// then, and outlives this.
  Preparation(std::function<core::Result<void>()> look, Wakeup& changed);
  ~Preparation();
  Preparation(const Preparation&) = delete;
  Preparation& operator=(const Preparation&) = delete;

  /// The Error that a person must mend, once there is one.
  std::optional<core::Error> failure() const;

  /// `starting` or `waiting` with the reason until it succeeded.
  core::Health health() const;

 private:
  void run(const std::stop_token& stop);

  std::function<core::Result<void>()> look_;
  Wakeup& changed_;
  mutable std::mutex mutex_;
  std::condition_variable_any stopping_;
  core::Health health_;                 // guarded by mutex_
  std::optional<core::Error> failure_;  // guarded by mutex_
  std::jthread thread_;                 // last, so that it is joined before what it uses goes
};

}  // namespace outbox::app
