#include "connectors/postgres/letter_journal.h"

#include <unistd.h>

#include <array>
#include <utility>

#include "connectors/postgres/detail/database_text.h"
#include "connectors/postgres/detail/letter_text.h"
#include "connectors/postgres/detail/saved_marks.h"
#include "connectors/postgres/detail/session.h"
#include "relay/core/assert.h"

namespace outbox::postgres {
namespace {

using core::Admission;
using core::Cause;
using core::Completion;
using core::Delivery;
using core::Outcome;
using core::Purpose;

constexpr size_t kBatchLettersMax = 4000;
constexpr size_t kBatchBytesMax = 1024 * 1024;
constexpr size_t kDetailBytesMax = 4000;

constexpr const char* kFence = "outbox_letters_fence";
constexpr const char* kWrite = "outbox_letter_write";
constexpr const char* kDelivered = "outbox_letters_delivered";
constexpr const char* kRefused = "outbox_letter_refused";

// Parameters come as text, whose types are plain to see on the wire.
std::vector<PreparedStatement> statements() {
  return {
      {kFence,
       "(text, text, text, text, text, text, text, text, text) as select outbox.letters_fence($1, "
       "$2::bigint, $3, $4::integer, $5, $6::pg_lsn, $7::pg_lsn, $8::bigint, $9::bigint)"},
      {kWrite,
       "(text, text, text, uuid, text, text, text, bytea, text, text, text, text, text, text, text,"
       " text, text, text, text, text, text, text, text) as select outbox.letter_write($1, "
       "$2::bigint, "
       "$3, $4, $5, $6, $7, $8, $9, $10::json, $11, $12::json, timestamptz '1970-01-01 00:00+00' + "
       "make_interval(hours => ($13::bigint / 3600000000)::integer, secs => ($13::bigint % "
       "3600000000) / 1e6), $14::bigint, $15, $16, $17, $18, $19::integer, $20, $21::interval, "
       "$22::interval, $23)::text"},
      {kDelivered, "(text, text) as select outbox.letters_delivered($1, $2::bigint[])"},
      {kRefused,
       "(text, text, text, text, text, text, text) as select outbox.letter_refused($1, $2::bigint,"
       " $3, $4, $5::interval, $6::interval, $7::integer)"}};
}

std::string interval(core::Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) +
         " ms";
}

std::string_view state_of(Purpose purpose) {
  switch (purpose) {
    case Purpose::dead_letter:
      return "dead";
    case Purpose::hold:
      return "held";
    case Purpose::park:
      return "parked";
    case Purpose::deliver:
    case Purpose::result:
      break;
  }
  OUTBOX_ASSERT(!"no letter is written for this purpose");
  return "";
}

Bytes fault_of(core::HeadersFault fault) {
  if (fault == core::HeadersFault::none) return std::nullopt;
  return headers_fault_text(fault);
}

bool blocks(Purpose purpose) { return purpose == Purpose::hold || purpose == Purpose::park; }

std::string relay_name(const PostgresOptions& options) {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return application_name(options) + " on " + host.data() + ", pid " + std::to_string(getpid());
}

}  // namespace

LetterJournal::LetterJournal(const PostgresOptions& options, LetterOptions letters,
                             std::shared_ptr<SharedSlot> shared)
    : options_(options),
      letters_(std::move(letters)),
      shared_(std::move(shared)),
      relay_(relay_name(options)),
      table_{"outbox.dead_letter", 0, core::DestinationState::usable},
      line_(options, "the connection that writes dead letters", statements(),
            options.jitter_seed + 2) {}

const core::Destination& LetterJournal::destination(std::string_view) { return table_; }

Admission LetterJournal::submit(const Delivery& delivery, core::Now) {
  OUTBOX_ASSERT(delivery.purpose != Purpose::deliver);
  wanted_ = true;
  const size_t bytes = delivery.purpose == Purpose::result ? 0 : delivery.event->bytes();
  const bool full = gathering_.letters.size() >= kBatchLettersMax ||
                    (!gathering_.letters.empty() && gathering_.bytes + bytes > kBatchBytesMax);
  if (full) return Admission::full;
  gathering_.letters.push_back({delivery, 0});
  gathering_.bytes += bytes;
  return Admission::admitted;
}

void LetterJournal::poll(std::vector<Completion>& completions, core::Now now) {
  if (!wanted_) return;
  if (may_talk()) talk(completions, now);
  if (broken_ || absent_) {
    std::move(gathering_.letters.begin(), gathering_.letters.end(),
              std::back_inserter(outside_.letters));
    gathering_.clear();
    if (absent_) return complete_all(Outcome::durable, nullptr, completions);
    const Cause cause{broken_->code, core::to_string(*broken_)};
    return complete_all(Outcome::fatal, &cause, completions);
  }
  if (may_send()) {
    std::swap(outside_, gathering_);
    write(now);
  }
}

// Without a session of the source there is no need to storm a server that is starting.
bool LetterJournal::may_talk() const {
  return wanted_ && !absent_ && !broken_ && (line_.connected() || shared_->lease.held());
}

void LetterJournal::talk(std::vector<Completion>& completions, core::Now now) {
  const auto step = line_.poll(now);
  if (!step) {
    absent_ = step.error().code == kSchemaTooOld && letters_.table == LetterTable::optional;
    if (!absent_) broken_ = step.error();
    return;
  }
  if (*step == SqlLine::Step::connected && !outside_.letters.empty()) write(now);
  if (const auto answers = line_.take_answers()) settle(*answers, completions);
}

// After a failover the source looks first whether what was delivered happened there, too.
bool LetterJournal::may_send() const {
  return line_.idle() && outside_.letters.empty() && !gathering_.letters.empty() &&
         line_.timeline() == shared_->identity.timeline;
}

// The fence first; then one statement for all that was delivered, and one for each other letter.
void LetterJournal::write(core::Now now) {
  add_fence();
  std::string delivered;
  for (const Letter& letter : outside_.letters) {
    if (letter.delivery.purpose != Purpose::result || letter.delivery.cause != nullptr) continue;
    delivered += (delivered.empty() ? "{" : ",") + std::to_string(letter.delivery.event->seq);
  }
  size_t answer = 1;
  size_t delivered_answer = 0;
  if (!delivered.empty()) {
    line_.add(kDelivered, {options_.pipeline, delivered + "}"});
    delivered_answer = answer++;
  }
  for (Letter& letter : outside_.letters) {
    const Delivery& delivery = letter.delivery;
    if (delivery.purpose == Purpose::result && delivery.cause == nullptr) {
      letter.answer = delivered_answer;
      continue;
    }
    letter.answer = answer++;
    delivery.purpose == Purpose::result ? add_refused(delivery) : add_letter(delivery);
  }
  line_.send(now);
}

void LetterJournal::add_fence() {
  const Delivery* last = nullptr;
  for (const Letter& letter : outside_.letters) {
    if (blocks(letter.delivery.purpose)) last = &letter.delivery;
  }
  OUTBOX_ASSERT(!outside_.letters.empty());
  const std::string epoch = std::to_string(outside_.letters.front().delivery.epoch);
  if (last == nullptr) {
    line_.add(kFence, {options_.pipeline, epoch, std::nullopt, std::nullopt, std::nullopt,
                       std::nullopt, std::nullopt, std::nullopt, std::nullopt});
    return;
  }
  const SavedMarks marks = marks_of_letter(last->event->position, options_.mode, *shared_);
  const std::string timeline = std::to_string(shared_->identity.timeline);
  line_.add(kFence,
            {options_.pipeline, epoch, shared_->identity.system_id, timeline,
             options_.mode == Mode::wal ? options_.slot : "", marks.end_lsn, marks.commit_lsn,
             marks.ordinal, marks.delivered_seq ? Bytes(*marks.delivered_seq) : std::nullopt});
}

// What no route matches has a number behind them all.
RouteLetters LetterJournal::policy_of(uint32_t route) const {
  return route < letters_.routes.size() ? letters_.routes[route] : RouteLetters{};
}

void LetterJournal::add_letter(const Delivery& delivery) {
  const core::Event& event = *delivery.event;
  const std::string epoch = std::to_string(delivery.epoch);
  const std::string_view id(reinterpret_cast<const char*>(event.id.bytes.data()),
                            event.id.bytes.size());
  const std::string headers = headers_text(event.headers);
  const std::string extras = extras_text(options_.columns.extras, event.extras);
  const std::string commit_time = std::to_string(event.commit_time.us);
  const std::string seq = std::to_string(event.seq);
  std::string position;
  core::append_origin(position, event, delivery.position_form);
  const std::string attempts = std::to_string(delivery.attempts);
  Bytes topic, code, text;
  std::string detail;
  if (delivery.destination != nullptr) topic = delivery.destination->name;
  if (delivery.cause != nullptr) {
    detail = database_text(delivery.cause->detail, kDetailBytesMax);
    code = delivery.cause->code;
    text = detail;
  }
  const RouteLetters route = policy_of(delivery.route);
  line_.add(kWrite, {options_.pipeline,
                     epoch,
                     state_of(delivery.purpose),
                     id,
                     event.aggregate_type,
                     event.aggregate_id,
                     event.event_type,
                     event.payload,
                     payload_kind_text(event.payload_kind),
                     headers,
                     fault_of(event.headers_fault),
                     extras,
                     commit_time,
                     event.seq == 0 ? std::nullopt : Bytes(seq),
                     position,
                     topic,
                     code,
                     text,
                     attempts,
                     relay_,
                     interval(route.hold.first),
                     interval(route.hold.give_up),
                     route.name.empty() ? std::nullopt : Bytes(route.name)});
}

void LetterJournal::add_refused(const Delivery& delivery) {
  const HoldPolicy policy = policy_of(delivery.route).hold;
  const std::string detail = database_text(delivery.cause->detail, kDetailBytesMax);
  line_.add(kRefused,
            {options_.pipeline, std::to_string(delivery.event->seq), delivery.cause->code, detail,
             interval(policy.first), interval(policy.most), std::to_string(policy.attempts_max)});
}

void LetterJournal::settle(const std::vector<ResultHandle>& answers,
                           std::vector<Completion>& completions) {
  const PGresult* failed = nullptr;
  for (const ResultHandle& answer : answers) {
    const ExecStatusType status = PQresultStatus(answer.get());
    if (status == PGRES_TUPLES_OK || status == PGRES_PIPELINE_ABORTED) continue;
    failed = answer.get();
    break;
  }
  if (failed != nullptr) return give_up(failed, completions);
  for (const Letter& letter : outside_.letters) {
    const Purpose purpose = letter.delivery.purpose;
    Completion completion{letter.delivery.ticket, Outcome::durable, nullptr};
    OUTBOX_ASSERT(letter.answer < answers.size());
    const PGresult* answer = answers[letter.answer].get();
    completion.known_before =
        purpose != Purpose::result && std::string_view(PQgetvalue(answer, 0, 0)) == "true";
    completions.push_back(std::move(completion));
  }
  outside_.clear();
}

// What was gathered meanwhile comes back, too: its letters may stand behind those that failed.
void LetterJournal::give_up(const PGresult* failed, std::vector<Completion>& completions) {
  const core::Error error =
      error_of(failed, "write the dead letters of", "pipeline " + options_.pipeline);
  const bool lasting = error.fault == core::Fault::fatal || error.fault == core::Fault::reject;
  const Cause cause{error.code, core::to_string(error)};
  complete_all(lasting ? Outcome::fatal : Outcome::retry, &cause, completions);
  for (const Letter& letter : gathering_.letters) {
    completions.push_back({letter.delivery.ticket, Outcome::returned, nullptr});
  }
  gathering_.clear();
}

void LetterJournal::complete_all(Outcome outcome, const Cause* cause,
                                 std::vector<Completion>& completions) {
  for (const Letter& letter : outside_.letters) {
    Completion completion{letter.delivery.ticket, outcome, nullptr};
    if (cause != nullptr) completion.cause = std::make_unique<Cause>(*cause);
    completions.push_back(std::move(completion));
  }
  outside_.clear();
}

core::Interest LetterJournal::interest(core::Instant) const {
  return may_talk() ? line_.interest() : core::Interest{};
}

core::Health LetterJournal::health() const {
  if (broken_) return {core::HealthState::waiting, core::to_string(*broken_)};
  return may_talk() ? line_.health() : core::Health{core::HealthState::ok, ""};
}

}  // namespace outbox::postgres
