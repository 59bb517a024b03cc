#pragma once
// Dead letters as an operator sees them: what a source's store of letters is asked, and what it
// answers. Plain values, between a connector (postgres::LetterDesk) and the commands.
//
// Times are text as RFC 3339 in UTC, or what the server calls them ("infinity"). A letter's number
// and a job's number are never 0.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "relay/core/clock.h"

namespace outbox::core {

/// A time, or so long before now by the server's clock.
using Moment = std::variant<WallTime, std::chrono::seconds>;

/// Which letters; what is absent does not matter.
struct LetterFilter {
  std::optional<std::string> key;
  std::optional<std::string> type;
  std::optional<std::string> aggregate;
  std::optional<std::string> topic;
  std::optional<std::string> cause;  // the code of the last refusal
  std::optional<Moment> since;       // when the letter was written; until: before
  std::optional<Moment> until;
  std::optional<std::string> id;  // of the event, a uuid
  std::optional<uint64_t> letter;

  bool empty() const {
    return !key && !type && !aggregate && !topic && !cause && !since && !until && !id && !letter;
  }
};

/// What is open for one cause.
struct LetterGroup {
  std::string pipeline;
  std::optional<std::string> code;  // absent: stands behind others of its key
  std::optional<std::string> topic;
  std::string state;
  uint64_t letters = 0;
  std::string first_at;
  std::string last_at;
};

/// More rights are needed for more.
enum class LetterParts {
  listing,  // a reader may
  content,  // headers and the payload's size
  payload,  // all
};

struct LetterContent {
  std::optional<std::string> payload;     // bytes; absent for NULL, or if not asked for
  std::optional<uint64_t> payload_bytes;  // absent for NULL
  std::string payload_kind;               // json, text, bytes
  std::string headers;                    // JSON as it was stored
  std::string extras;                     // JSON
  std::optional<std::string> headers_fault;
};

struct Letter {
  uint64_t letter = 0;
  uint64_t place = 0;  // in the order of its key
  std::optional<uint64_t> lane;
  std::string pipeline;
  std::string state;  // dead, held, parked; delivered, replaced, discarded
  std::string event_id;
  std::string aggregate_type;
  std::optional<std::string> key;
  std::string type;
  std::string commit_time;
  std::optional<uint64_t> seq;
  std::string source_position;
  std::optional<std::string> topic;
  std::optional<std::string> first_code, first_detail;
  std::optional<std::string> last_code, last_detail;
  uint64_t attempts = 0;  // before it was a letter
  uint64_t replays = 0;
  std::string relay;
  uint64_t epoch = 0;
  std::string written_at;
  std::string last_attempt_at;
  double age_seconds = 0;
  std::optional<uint64_t> job;
  std::optional<uint64_t> replaces;
  std::optional<LetterContent> content;
};

/// Those of letters that wait to be delivered.
inline const std::vector<std::string> kOpenStates = {"dead", "held", "parked"};

struct LetterQuery {
  enum class Order { newest_first, oldest_first };
  LetterFilter filter;
  std::vector<std::string> states;  // empty: any
  Order order = Order::newest_first;
  LetterParts parts = LetterParts::listing;
  uint64_t after = 0;  // the last letter of the page before; 0: from the beginning
  uint64_t limit = 100;
};

/// An entry of the audit.
struct LetterAct {
  std::string at;
  std::string who;
  std::string client;
  std::string action;
  std::optional<uint64_t> job;
  std::optional<std::string> reason;
  std::optional<std::string> detail;  // JSON
};

/// The key's queue that a held or parked letter stands in.
struct LetterLane {
  std::string state;
  uint64_t attempts = 0;
  std::optional<std::string> next_attempt_at, give_up_at;
  std::optional<uint64_t> job;  // 0: the relay's own try
  uint64_t before = 0;          // letters of the key
  uint64_t behind = 0;
};

struct LetterHistory {
  std::optional<LetterLane> lane;
  std::optional<uint64_t> replaced_by;
  std::vector<LetterAct> acts;  // oldest first; the newest kHistoryActs
};
inline constexpr uint64_t kHistoryActs = 1000;

struct ReplayOrder {
  LetterFilter filter;
  std::string reason;
  std::optional<uint32_t> rate;  // letters a second
  std::optional<uint32_t> failures_max;
  bool dry_run = false;  // only counts
  bool forced = false;   // takes letters too that were replayed as often as their route allows
};

struct ReplayFiled {
  std::optional<uint64_t> job;  // absent: a dry run, or nothing matched
  uint64_t letters = 0;
  uint64_t behind = 0;  // fit, and stand behind one of their key that does not
  uint64_t taken = 0;   // fit, and belong to another job
  uint64_t spent = 0;   // fit, and were replayed too often: only a forced replay takes them
};

/// The code of a letter that nobody refused: its event was found lost, and is to be sent again.
inline constexpr const char* kLostCode = "LOST";

struct LostFiled {
  uint64_t seq = 0;  // of the event's row
  uint64_t letter = 0;
  bool filed = false;  // false: it is a letter already, or was delivered since it was found lost
};

struct ReplayJob {
  uint64_t job = 0;
  std::string pipeline;
  std::string state;   // proposed, open, paused, stopped, done
  std::string filter;  // JSON
  std::string reason;
  std::optional<uint32_t> rate;
  std::optional<uint32_t> failures_max;
  std::string asked_by;
  std::string asked_at;
  std::optional<std::string> approved_by;
  std::optional<std::string> ended_at;
  uint64_t selected = 0;  // when it was filed
  uint64_t delivered = 0;
  uint64_t refused = 0;
  std::string activity;  // another text once the pipeline's relay has done something

  bool over() const { return state == "done" || state == "stopped"; }
  /// Nobody works on it until somebody acts.
  bool rests() const { return state == "paused" || state == "proposed"; }
};

enum class ReplayAct { approve, pause, resume, end };

struct LettersDiscarded {
  uint64_t letters = 0;
  uint64_t taken = 0;  // fit, and belong to a replay: they stay
};

/// Absent parts stay as they are.
struct LetterEdit {
  uint64_t letter = 0;
  std::optional<std::string> payload;  // bytes
  std::optional<std::string> headers;  // a JSON object
  std::string reason;
};

struct LetterEdited {
  uint64_t letter = 0;
  std::string event_id;
};

}  // namespace outbox::core
