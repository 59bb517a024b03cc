#pragma once
// OUTBOX_ASSERT: for our own bugs, never for the world's. Always on, in every build. A failed
// assert ends the process at once (abort): what is not confirmed is delivered again by the next
// start, so stopping is safe, and going on with a broken invariant is not.

namespace outbox::core {

[[noreturn]] void assert_failed(const char* expression, const char* file, int line);

}  // namespace outbox::core

#define OUTBOX_ASSERT(expression)                                     \
  do {                                                                \
    if (!(expression)) [[unlikely]]                                   \
      ::outbox::core::assert_failed(#expression, __FILE__, __LINE__); \
  } while (false)
