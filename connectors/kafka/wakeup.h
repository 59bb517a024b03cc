#pragma once
// Wakeup: an eventfd that other threads signal to wake a loop in poll(2).

namespace outbox::kafka {

class Wakeup {
 public:
  Wakeup();
  ~Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  int fd() const { return fd_; }
  void signal();  // any thread
  void drain();   // the loop's thread, before it looks at what woke it

 private:
  int fd_;
};

}  // namespace outbox::kafka
