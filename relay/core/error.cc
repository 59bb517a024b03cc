#include "relay/core/error.h"

namespace outbox::core {

const char* to_string(Fault fault) {
  switch (fault) {
    case Fault::retry:
      return "retry";
    case Fault::reject:
      return "reject";
    case Fault::unknown:
      return "unknown";
    case Fault::fatal:
      return "fatal";
  }
  return "?";
}

std::string to_string(const Error& error) {
  std::string text = error.op;
  if (!error.subject.empty()) text += (text.empty() ? "" : " ") + error.subject;
  if (!error.detail.empty()) text += (text.empty() ? "" : ": ") + error.detail;
  if (!error.code.empty()) text += " (" + error.code + ")";
  if (!error.hint.empty()) text += ". " + error.hint;
  return text;
}

}  // namespace outbox::core
