#pragma once
// LettersLine: what a person typed behind `outbox dead-letters <verb>`.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "relay/core/letters.h"

namespace outbox::app {

struct LettersLine {
  core::LetterFilter filter;

  // list, show, export
  std::vector<std::string> states = core::kOpenStates;  // empty: any
  bool states_given = false;
  bool all = false;  // list, discard: without a filter
  bool payload = false;
  uint64_t limit = 100;

  // replay, discard
  bool dry_run = false;
  std::string reason;  // empty only where none is needed
  std::optional<uint32_t> rate;
  std::optional<uint32_t> failures_max;
  bool detach = false;
  bool force = false;
  std::string payload_file;  // --edit
  std::string headers_file;

  // replay --job, jobs
  std::optional<uint64_t> job;
  std::optional<core::ReplayAct> act;
};

}  // namespace outbox::app
