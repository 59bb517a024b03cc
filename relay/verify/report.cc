#include "relay/verify/report.h"

namespace outbox::verify {

const char* to_string(Anomaly anomaly) {
  switch (anomaly) {
    case Anomaly::lost:
      return "lost";
    case Anomaly::altered:
      return "altered";
    case Anomaly::out_of_order:
      return "out_of_order";
    case Anomaly::foreign:
      return "foreign";
    case Anomaly::duplicate:
      return "duplicate";
  }
  return "";
}

const char* jepsen_name(Anomaly anomaly) {
  switch (anomaly) {
    case Anomaly::lost:
      return "lost-write";
    case Anomaly::out_of_order:
      return "nonmonotonic-send";
    case Anomaly::duplicate:
      return "duplicate";
    case Anomaly::foreign:
      return "G1a";
    case Anomaly::altered:
      break;
  }
  return "";
}

}  // namespace outbox::verify
