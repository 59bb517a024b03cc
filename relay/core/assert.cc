#include "relay/core/assert.h"

#include <cstdio>
#include <cstdlib>

namespace outbox::core {

void assert_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "outbox: assertion failed: %s (%s:%d). This is a bug in outbox itself.\n",
               expression, file, line);
  std::abort();
}

}  // namespace outbox::core
