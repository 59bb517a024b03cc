#include "connectors/postgres/letter_desk.h"

#include <algorithm>
#include <utility>

#include "connectors/postgres/detail/findings.h"
#include "connectors/postgres/detail/letter_rows.h"
#include "connectors/postgres/detail/session.h"
#include "relay/core/time_text.h"

namespace outbox::postgres {
namespace {

using core::Error;
using core::Fault;
using core::Result;

// Of a page with payloads. A single letter may be larger.
constexpr const char* kPageBytes = "8388608";
// Nobody waits for these calls but a person, who may end them.
constexpr const char* kPatience = "select set_config('statement_timeout', '0', false)";
// A connection that was ended comes back at once, or with the server.
constexpr int kTries = 5;
constexpr core::Duration kBetweenTries = std::chrono::milliseconds(200);

// $1 to $10 are those of parameters_of().
constexpr const char* kCondition =
    "l.pipeline = $1::text"
    " and ($2::text is null or l.aggregate_id = $2)"
    " and ($3::text is null or l.event_type = $3)"
    " and ($4::text is null or l.aggregate_type = $4)"
    " and ($5::text is null or l.topic = $5)"
    " and ($6::text is null or l.last_code = $6)"
    " and ($7::timestamptz is null or l.written_at >= $7)"
    " and ($8::timestamptz is null or l.written_at < $8)"
    " and ($9::uuid is null or l.letter = any (array(select d.letter from outbox.dead_letter d"
    " where d.event_id = $9)))"
    " and ($10::bigint is null or l.letter = $10)"
    " and ($11::text[] is null or l.state = any ($11))";
constexpr const char* kFilter =
    "jsonb_strip_nulls(jsonb_build_object('pipeline', $1::text, 'key', $2::text, 'type', $3::text,"
    " 'aggregate', $4::text, 'topic', $5::text, 'cause', $6::text, 'since', $7::timestamptz,"
    " 'until', $8::timestamptz, 'id', $9::uuid, 'letter', $10::bigint))";

std::optional<std::string> array_of(const std::vector<std::string>& states) {
  if (states.empty()) return std::nullopt;
  std::string text;
  for (const std::string& state : states) text += (text.empty() ? "{" : ",") + state;
  return text + "}";
}

std::optional<std::string> text_of(std::optional<uint64_t> number) {
  if (!number) return std::nullopt;
  return std::to_string(*number);
}

bool connection_lost(const Error& error) {
  return error.code.starts_with("08") || error.code.starts_with("57P");
}

// What a person does about it.
void add_remedy(Error& error, bool for_operators, const std::string& user) {
  if (error.code == "42501") {
    error.hint = for_operators
                     ? "Operators of dead letters need a role: grant outbox_operator to " +
                           quote_identifier(user)
                     : "Listings need the role outbox_reader, payloads and headers "
                       "outbox_operator: grant it to " +
                           quote_identifier(user);
  } else if (error.code == "42883" || error.code == "42P01" || error.code == "3F000") {
    error.hint = "The schema is of an older release, or not there. Run: outbox schema apply";
  } else if (error.code == "55P03") {
    error.hint = "Somebody else works on the letters of this pipeline just now. Try again";
  }
}

const char* word_of(core::ReplayAct act) {
  switch (act) {
    case core::ReplayAct::approve:
      return "approve";
    case core::ReplayAct::pause:
      return "pause";
    case core::ReplayAct::resume:
      return "resume";
    case core::ReplayAct::end:
      return "end";
  }
  return "";
}

// Those that are open are many at bad times, and have narrow rows of their own.
std::string letters_sql(const core::LetterQuery& query) {
  const bool open = !query.states.empty() &&
                    std::all_of(query.states.begin(), query.states.end(), [](const auto& state) {
                      return std::count(core::kOpenStates.begin(), core::kOpenStates.end(), state);
                    });
  return std::string(open ? "outbox.open_dead_letter" : "outbox.dead_letter") + " l where " +
         kCondition;
}

// First the numbers of the page, then what it shows. Payloads count by their size alone, which is
// known without reading them.
std::string page_sql(const core::LetterQuery& query) {
  const bool newest = query.order == core::LetterQuery::Order::newest_first;
  const std::string order = newest ? " order by l.letter desc" : " order by l.letter";
  const std::string page = " from (select l.letter from " + letters_sql(query) +
                           " and ($12::bigint = 0 or l.letter " + (newest ? "<" : ">") +
                           " $12::bigint)" + order +
                           " limit $13::bigint) p join outbox.dead_letter l using (letter)"
                           " left join outbox.open_letter o using (letter)";
  const std::string columns = letter_columns(query.parts);
  if (query.parts != core::LetterParts::payload) return "select " + columns + page + order;
  return "select * from (select " + columns + ", row_number() over w as turn," +
         " coalesce(sum(octet_length(l.payload)) over w, 0) as bytes" + page + " window w as (" +
         order.substr(1) + ")) l where l.turn = 1 or l.bytes <= " + kPageBytes + order;
}

}  // namespace

LetterDesk::LetterDesk(PostgresOptions options) : options_(std::move(options)), waiter_(never_) {}

Result<void> LetterDesk::connect() {
  if (sql_) return {};
  auto sql = Connection::open(options_.url, ConnectionKind::sql,
                              application_name(options_) + " dead-letters", waiter_);
  if (!sql) return sql.error();
  const auto patient = sql->run(kPatience, {}, "prepare", "the session", waiter_);
  if (!patient) return patient.error();
  sql_.emplace(std::move(*sql));
  reached_ = true;
  return {};
}

Result<Rows> LetterDesk::ask_once(const std::string& sql, const Parameters& parameters,
                                  const std::string& op, const std::string& subject) {
  if (const auto connected = connect(); !connected) return connected.error();
  auto rows = sql_->run(sql, parameters, op, subject, waiter_);
  if (!rows && connection_lost(rows.error())) sql_.reset();
  return rows;
}

// A server that was never there is told at once.
bool LetterDesk::may_come_back(const Error& error) const {
  return connection_lost(error) && (reached_ || error.code.starts_with("57P"));
}

Result<Rows> LetterDesk::ask(Effect effect, const std::string& sql, const Parameters& parameters,
                             const std::string& op, const std::string& subject) {
  auto rows = ask_once(sql, parameters, op, subject);
  for (int tries = 1; tries < kTries && effect != Effect::change; ++tries) {
    if (rows || !may_come_back(rows.error())) break;
    waiter_.pause(std::chrono::steady_clock::now() + kBetweenTries);
    rows = ask_once(sql, parameters, op, subject);
  }
  if (rows) return rows;
  Error error = rows.error();
  const bool changes = effect == Effect::change || effect == Effect::change_once;
  if (changes && connection_lost(error)) error.fault = Fault::unknown;
  add_remedy(error, effect != Effect::none, sql_ ? PQuser(sql_->handle()) : "");
  return error;
}

Result<std::optional<std::string>> LetterDesk::time_of(const std::optional<core::Moment>& moment) {
  if (!moment) return std::optional<std::string>();
  if (const auto* time = std::get_if<core::WallTime>(&*moment)) {
    return std::optional(core::to_rfc3339(*time));
  }
  const auto ago = std::get<std::chrono::seconds>(*moment);
  const auto rows =
      ask(Effect::none, "select clock_timestamp() - make_interval(secs => $1::float8) as at",
          {std::to_string(ago.count())}, "ask", "the server's time");
  if (!rows) return rows.error();
  return std::optional(rows->value("at"));
}

Result<Parameters> LetterDesk::parameters_of(const core::LetterFilter& filter) {
  const auto since = time_of(filter.since);
  if (!since) return since.error();
  const auto until = time_of(filter.until);
  if (!until) return until.error();
  return Parameters{
      options_.pipeline, filter.key, filter.type, filter.aggregate, filter.topic,
      filter.cause,      *since,     *until,      filter.id,        text_of(filter.letter)};
}

Result<std::vector<core::LetterGroup>> LetterDesk::groups() {
  const auto rows =
      ask(Effect::none,
          "select c.pipeline, c.code, c.topic, c.state, c.letters, " +
              time_column("c.first_at", "first_at") + ", " + time_column("c.last_at", "last_at") +
              " from outbox.dead_letter_cause c where c.pipeline = $1"
              " order by c.letters desc, c.code, c.topic, c.state",
          {options_.pipeline}, "list", "dead letters by cause");
  if (!rows) return rows.error();
  return groups_of(*rows);
}

Result<uint64_t> LetterDesk::count(const core::LetterQuery& query) {
  auto parameters = parameters_of(query.filter);
  if (!parameters) return parameters.error();
  parameters->push_back(array_of(query.states));
  const auto rows = ask(Effect::none, "select count(*) as letters from " + letters_sql(query),
                        *parameters, "count", "dead letters");
  if (!rows) return rows.error();
  return rows->number<uint64_t>("letters");
}

Result<std::vector<core::Letter>> LetterDesk::page(const core::LetterQuery& query) {
  auto parameters = parameters_of(query.filter);
  if (!parameters) return parameters.error();
  parameters->push_back(array_of(query.states));
  parameters->push_back(std::to_string(query.after));
  parameters->push_back(std::to_string(query.limit));
  const auto rows = ask(Effect::none, page_sql(query), *parameters, "read", "dead letters");
  if (!rows) return rows.error();
  std::vector<core::Letter> letters;
  for (int row = 0; row < rows->count(); ++row) {
    letters.push_back(letter_of(*rows, row, query.parts));
  }
  return letters;
}

Result<core::LetterHistory> LetterDesk::history(const core::Letter& letter) {
  core::LetterHistory history;
  const std::string number = std::to_string(letter.letter);
  const auto acts =
      ask(Effect::none,
          "select * from (select a.entry, " + time_column("a.at", "at") +
              ", a.who, a.client, a.action, a.job, a.reason, a.detail from outbox.audit a"
              " where a.letter = $1::bigint or a.entry = (select l.delivered_in"
              " from outbox.dead_letter l where l.letter = $1::bigint)"
              " order by a.entry desc limit $2::bigint) a order by a.entry",
          {number, std::to_string(core::kHistoryActs)}, "read", "the history of letter " + number);
  if (!acts) return acts.error();
  history.acts = acts_of(*acts);
  const auto around = ask(
      Effect::none,
      "select k.state, k.attempts, k.job, " + time_column("k.next_attempt_at", "next_attempt_at") +
          ", " + time_column("k.give_up_at", "give_up_at") +
          ", (select count(*) from outbox.open_letter l where l.lane = k.lane and l.place < "
          "o.place) as before, (select count(*) from outbox.open_letter l where l.lane = k.lane"
          " and l.place > o.place) as behind,"
          " (select r.letter from outbox.dead_letter r where r.replaces = l.letter"
          " order by r.letter limit 1) as replaced_by"
          " from outbox.dead_letter l left join outbox.open_letter o using (letter)"
          " left join outbox.lane k on k.lane = o.lane where l.letter = $1::bigint",
      {number}, "read", "the lane of letter " + number);
  if (!around) return around.error();
  if (const auto by = around->text(0, "replaced_by"))
    history.replaced_by = to_number<uint64_t>(*by);
  const auto state = around->text(0, "state");
  if (!state) return history;
  core::LetterLane& lane = history.lane.emplace();
  lane.state = *state;
  lane.attempts = around->number<uint64_t>("attempts");
  if (const auto job = around->text(0, "job")) lane.job = to_number<uint64_t>(*job);
  lane.next_attempt_at = around->text(0, "next_attempt_at");
  lane.give_up_at = around->text(0, "give_up_at");
  lane.before = around->number<uint64_t>("before");
  lane.behind = around->number<uint64_t>("behind");
  return history;
}

Result<core::ReplayFiled> LetterDesk::file(const core::ReplayOrder& order) {
  auto parameters = parameters_of(order.filter);
  if (!parameters) return parameters.error();
  parameters->push_back(order.reason);
  parameters->push_back(text_of(order.rate));
  parameters->push_back(text_of(order.failures_max));
  parameters->push_back(order.dry_run ? "true" : "false");
  const auto request =
      ask(Effect::none, "select gen_random_uuid() as id", {}, "draw", "the id of a request");
  if (!request) return request.error();
  parameters->push_back(request->value("id"));
  parameters->push_back(order.forced ? "forced" : "usual");
  const auto rows = ask(
      order.dry_run ? Effect::rehearsal : Effect::change_once,
      "select job, letters, behind, taken, spent from outbox.replay_file(" + std::string(kFilter) +
          ", $11::text, $12::integer, $13::integer, $14::boolean, $15::uuid, $16::text)",
      *parameters, "replay", "dead letters of pipeline " + options_.pipeline);
  if (!rows) return rows.error();
  core::ReplayFiled filed;
  if (const auto job = rows->text(0, "job")) filed.job = to_number<uint64_t>(*job);
  filed.letters = rows->number<uint64_t>("letters");
  filed.behind = rows->number<uint64_t>("behind");
  filed.taken = rows->number<uint64_t>("taken");
  filed.spent = rows->number<uint64_t>("spent");
  return filed;
}

Result<std::vector<core::LostFiled>> LetterDesk::file_lost(const LostBatch& batch,
                                                           core::WallTime found_at,
                                                           const std::string& reason) {
  const auto rows = ask(Effect::change_once,
                        "select seq, letter, filed from outbox.lost_file($1::text, "
                        "to_timestamp($2::float8 / 1000000), $3::json, $4::text)",
                        {options_.pipeline, std::to_string(found_at.us), batch.json(), reason},
                        "file", "lost events of pipeline " + options_.pipeline);
  if (!rows) return rows.error();
  std::vector<core::LostFiled> filed;
  for (int row = 0; row < rows->count(); ++row) {
    const auto number = [&](const char* column) {
      return to_number<uint64_t>(rows->text(row, column).value_or("0"));
    };
    filed.push_back({number("seq"), number("letter"), rows->text(row, "filed") == "t"});
  }
  return filed;
}

Result<core::LettersDiscarded> LetterDesk::discard(const core::LetterFilter& filter,
                                                   const std::string& reason, bool dry_run) {
  auto parameters = parameters_of(filter);
  if (!parameters) return parameters.error();
  parameters->push_back(reason);
  parameters->push_back(dry_run ? "true" : "false");
  const auto rows = ask(dry_run ? Effect::rehearsal : Effect::change,
                        "select letters, taken from outbox.letters_discard(" +
                            std::string(kFilter) + ", $11::text, $12::boolean)",
                        *parameters, "discard", "dead letters of pipeline " + options_.pipeline);
  if (!rows) return rows.error();
  return core::LettersDiscarded{rows->number<uint64_t>("letters"), rows->number<uint64_t>("taken")};
}

Result<core::LetterEdited> LetterDesk::edit(const core::LetterEdit& edit) {
  std::optional<std::string> payload;
  if (edit.payload) payload = bytea_text(*edit.payload);
  const std::string number = std::to_string(edit.letter);
  const auto rows =
      ask(Effect::change,
          "select new_letter, new_event_id from"
          " outbox.letter_edit($1::bigint, $2::bytea, $3::json, $4::text)",
          {number, std::move(payload), edit.headers, edit.reason}, "edit", "letter " + number);
  if (!rows) return rows.error();
  return core::LetterEdited{rows->number<uint64_t>("new_letter"), rows->value("new_event_id")};
}

Result<std::vector<core::ReplayJob>> LetterDesk::jobs(std::optional<uint64_t> job, uint64_t limit) {
  const auto rows =
      ask(Effect::none,
          kJobSql + std::string(" where j.pipeline = $1::text and ($2::bigint is null"
                                " or j.job = $2) order by j.job desc limit $3::bigint"),
          {options_.pipeline, text_of(job), std::to_string(limit)}, "look at",
          "replay jobs of pipeline " + options_.pipeline);
  if (!rows) return rows.error();
  std::vector<core::ReplayJob> jobs;
  for (int row = 0; row < rows->count(); ++row) jobs.push_back(job_of(*rows, row));
  return jobs;
}

Result<void> LetterDesk::control(uint64_t job, core::ReplayAct act, const std::string& reason) {
  const std::string number = std::to_string(job);
  const auto rows =
      ask(Effect::change, "select outbox.replay_control($1::bigint, $2::text, $3::text)",
          {number, word_of(act), reason}, word_of(act), "replay job " + number);
  if (!rows) return rows.error();
  return {};
}

}  // namespace outbox::postgres
