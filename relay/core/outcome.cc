#include "relay/core/outcome.h"

namespace outbox::core {

const char* to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::durable:
      return "durable";
    case Outcome::returned:
      return "returned";
    case Outcome::retry:
      return "retry";
    case Outcome::reject:
      return "reject";
    case Outcome::unknown:
      return "unknown";
    case Outcome::fatal:
      return "fatal";
  }
  return "?";
}

}  // namespace outbox::core
