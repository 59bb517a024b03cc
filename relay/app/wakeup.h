#pragma once
// Wakeup: lets one thread wake another out of poll(2). An eventfd with an owner.

namespace outbox::app {

class Wakeup {
 public:
  Wakeup();
  ~Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  int fd() const { return fd_; }
  /// From any thread, and from a signal handler.
  void signal();
  /// Makes fd() unreadable again.
  void clear();

 private:
  int fd_;
};

}  // namespace outbox::app
