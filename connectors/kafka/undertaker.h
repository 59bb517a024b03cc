#pragma once
// Undertaker: destroys producers that are no longer used, on a thread of its own, since that waits
// for the client library's threads. At most a few at a time: while it is full, no new producer is
// built.

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "connectors/kafka/producer.h"
#include "connectors/kafka/wakeup.h"

namespace outbox::kafka {

class Undertaker {
 public:
  /// `wakeup` is signalled when there is room again.
  explicit Undertaker(std::shared_ptr<Wakeup> wakeup);
  ~Undertaker();  // waits until all are destroyed
  Undertaker(const Undertaker&) = delete;
  Undertaker& operator=(const Undertaker&) = delete;

  bool full() const;
  void bury(std::unique_ptr<Producer> producer);

 private:
  void run(const std::stop_token& stop);

  const std::shared_ptr<Wakeup> wakeup_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::unique_ptr<Producer>> dead_;  // guarded by mutex_; the first is being destroyed
  std::jthread thread_;                         // last: it uses everything above
};

}  // namespace outbox::kafka
