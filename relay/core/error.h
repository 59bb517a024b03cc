#pragma once
// Error: what went wrong, for a program (`fault`, `code`) and for a person (the rest). Travels in
// Result<T> (result.h) across every seam. Expected refusals and outages are Errors; our own bugs
// are asserts.
//
// A message reads "<op> <subject>: <detail> (<code>). <hint>", so each field is a fragment, without
// a full stop:
//   op      "start replication"        what was being done
//   subject "slot outbox_shop"         the thing it was done to
//   detail  "the slot is active for PID 4711"
//   hint    "Another relay holds it; this one waits"   the remedy, or empty

#include <string>

namespace outbox::core {

/// What may be done about it.
enum class Fault {
  retry,    // passing: the same call may work later
  reject,   // this input is refused and will be again; the next one may pass
  unknown,  // the call may or may not have had its effect
  fatal,    // going on would lose, repeat or invent something, or cannot work without a person
};

struct Error {
  Fault fault = Fault::fatal;
  std::string code;  // stable: a SQLSTATE, a Kafka error name, or ours in CAPITALS ("SLOT_AHEAD")
  std::string op;
  std::string subject;
  std::string detail;
  std::string hint;
};

const char* to_string(Fault fault);
std::string to_string(const Error& error);

}  // namespace outbox::core
