#pragma once
// SignalsBlocked: while it lives, its thread takes no signal, and neither do threads it starts.
// Signals are for the runner's thread alone; a thread inherits the mask of its maker.

#include <signal.h>

namespace outbox::app {

class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace outbox::app
