#include "relay/core/health.h"

namespace outbox::core {

const char* to_string(HealthState state) {
  switch (state) {
    case HealthState::starting:
      return "starting";
    case HealthState::ok:
      return "ok";
    case HealthState::waiting:
      return "waiting";
    case HealthState::stopped:
      return "stopped";
  }
  return "?";
}

}  // namespace outbox::core
