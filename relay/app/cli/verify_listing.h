#pragma once
// VerifyListing: what `outbox verify` says on stdout, in one of the three forms: findings as they
// come, the summary, and what a repair did. For the sources beside it.
//
//   add(finding) … summarize() [ add(filed) … conclude() ] end()

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "relay/app/cli/command_line.h"
#include "relay/app/cli/terminal.h"
#include "relay/app/repair.h"
#include "relay/app/verification.h"
#include "relay/core/letters.h"

namespace outbox::app {

/// What became of a repair.
struct RepairReport {
  bool dry_run = false;
  uint64_t lost = 0;       // when it began
  uint64_t overtaken = 0;  // of these: later events of their keys are there already
  uint64_t waiting = 0;    // filed by earlier repairs, and not delivered yet
  RepairCounts counts;
  std::optional<core::ReplayJob> job;    // absent: there was nothing to send
  std::optional<verify::Summary> again;  // of the comparison behind it

  bool repaired() const { return again && again->lost == 0; }
};

class VerifyListing {
 public:
  VerifyListing(const Terminal& terminal, OutputFormat format)
      : terminal_(terminal), format_(format) {}

  void add(const verify::Finding& finding);
  void summarize(const std::string& pipeline, const VerifyOutcome& outcome);
  void add(const FiledEvent& event);
  void conclude(const RepairReport& report);
  void end();

 private:
  void write_text(const verify::Finding& finding);
  void write_text(const std::string& pipeline, const VerifyOutcome& outcome);
  void write_counts(const verify::Summary& sum);
  void write_count(const char* what, uint64_t count, const char* meaning, Shade shade);
  void write_if_any(const char* what, uint64_t count, const char* meaning);
  void write_text(const FiledEvent& event);
  void write_text(const RepairReport& report);
  void begin_events();

  const Terminal& terminal_;
  OutputFormat format_;
  uint64_t count_ = 0;
  uint64_t events_ = 0;
  uint64_t named_events_ = 0;
  bool events_begun_ = false;
  std::array<uint64_t, 5> named_{};
};

}  // namespace outbox::app
