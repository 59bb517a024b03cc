#include "relay/core/failpoint.h"

#ifdef OUTBOX_FAILPOINTS

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string_view>

#include "relay/core/assert.h"

namespace outbox::core {
namespace {

std::string_view name_of(Failpoint failpoint) {
  switch (failpoint) {
    case Failpoint::after_sink_acknowledged:
      return "after_sink_acknowledged";
    case Failpoint::between_checkpoint_and_confirm:
      return "between_checkpoint_and_confirm";
    case Failpoint::inside_large_transaction:
      return "inside_large_transaction";
    case Failpoint::inside_producer_rebuild:
      return "inside_producer_rebuild";
  }
  return "";
}

struct Armed {
  std::string_view name;
  uint64_t hit = 1;
};

Armed armed_by_environment() {
  const char* text = std::getenv("OUTBOX_FAILPOINT");
  if (text == nullptr) return {};
  const std::string_view whole(text);
  const size_t colon = whole.find(':');
  Armed armed{whole.substr(0, colon)};
  if (colon != std::string_view::npos) armed.hit = std::strtoull(text + colon + 1, nullptr, 10);
  return armed;
}

}  // namespace

void hit_failpoint(Failpoint failpoint) {
  static const Armed armed = armed_by_environment();
  static std::atomic<uint64_t> hits{0};
  if (armed.name != name_of(failpoint)) return;
  if (++hits == armed.hit) {
    kill(getpid(), SIGKILL);
    pause();  // the signal is on its way; nothing after this point may run
  }
}

}  // namespace outbox::core

#endif
