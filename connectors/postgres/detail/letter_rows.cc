#include "connectors/postgres/detail/letter_rows.h"

#include <utility>

namespace outbox::postgres {
namespace {

std::string text_of(const Rows& rows, int row, const char* column) {
  return rows.text(row, column).value_or("");
}

template <typename Number>
Number number_of(const Rows& rows, int row, const char* column) {
  return to_number<Number>(text_of(rows, row, column));
}

template <typename Number>
std::optional<Number> number_if_any(const Rows& rows, int row, const char* column) {
  const auto text = rows.text(row, column);
  if (!text) return std::nullopt;
  return to_number<Number>(*text);
}

std::optional<int> digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return std::nullopt;
}

core::LetterContent content_of(const Rows& rows, int row) {
  core::LetterContent content;
  if (auto text = rows.text(row, "payload")) content.payload = bytes_of_text(*text);
  content.payload_bytes = number_if_any<uint64_t>(rows, row, "payload_bytes");
  content.payload_kind = text_of(rows, row, "payload_kind");
  content.headers = text_of(rows, row, "headers");
  content.extras = text_of(rows, row, "extras");
  content.headers_fault = rows.text(row, "headers_fault");
  return content;
}

}  // namespace

// to_char has no text for an infinite time.
std::string time_column(const std::string& column, const std::string& name) {
  return "case when isfinite(" + column + ") then to_char(" + column +
         " at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') else " + column +
         "::text end as " + name;
}

// A letter that is not open has no place any more: its number then.
std::string letter_columns(core::LetterParts parts) {
  std::string columns =
      "l.letter, coalesce(o.place, l.letter) as place, o.lane, l.pipeline, l.state, l.event_id, "
      "l.aggregate_type,"
      " l.aggregate_id, l.event_type, l.seq, l.source_position, l.topic, l.first_code,"
      " l.first_detail, l.last_code, l.last_detail, l.attempts, l.replays, l.relay, l.epoch,"
      " o.job, l.replaces, extract(epoch from clock_timestamp() - l.written_at) as age_seconds, " +
      time_column("l.commit_time", "commit_time") + ", " +
      time_column("l.written_at", "written_at") + ", " +
      time_column("l.last_attempt_at", "last_attempt_at");
  if (parts == core::LetterParts::listing) return columns;
  columns +=
      ", octet_length(l.payload) as payload_bytes, l.payload_kind, l.headers, l.extras,"
      " l.headers_fault";
  if (parts == core::LetterParts::payload) columns += ", l.payload";
  return columns;
}

core::Letter letter_of(const Rows& rows, int row, core::LetterParts parts) {
  core::Letter letter;
  letter.letter = number_of<uint64_t>(rows, row, "letter");
  letter.place = number_of<uint64_t>(rows, row, "place");
  letter.lane = number_if_any<uint64_t>(rows, row, "lane");
  letter.pipeline = text_of(rows, row, "pipeline");
  letter.state = text_of(rows, row, "state");
  letter.event_id = text_of(rows, row, "event_id");
  letter.aggregate_type = text_of(rows, row, "aggregate_type");
  letter.key = rows.text(row, "aggregate_id");
  letter.type = text_of(rows, row, "event_type");
  letter.commit_time = text_of(rows, row, "commit_time");
  letter.seq = number_if_any<uint64_t>(rows, row, "seq");
  letter.source_position = text_of(rows, row, "source_position");
  letter.topic = rows.text(row, "topic");
  letter.first_code = rows.text(row, "first_code");
  letter.first_detail = rows.text(row, "first_detail");
  letter.last_code = rows.text(row, "last_code");
  letter.last_detail = rows.text(row, "last_detail");
  letter.attempts = number_of<uint64_t>(rows, row, "attempts");
  letter.replays = number_of<uint64_t>(rows, row, "replays");
  letter.relay = text_of(rows, row, "relay");
  letter.epoch = number_of<uint64_t>(rows, row, "epoch");
  letter.written_at = text_of(rows, row, "written_at");
  letter.last_attempt_at = text_of(rows, row, "last_attempt_at");
  letter.age_seconds = number_of<double>(rows, row, "age_seconds");
  letter.job = number_if_any<uint64_t>(rows, row, "job");
  letter.replaces = number_if_any<uint64_t>(rows, row, "replaces");
  if (parts != core::LetterParts::listing) letter.content = content_of(rows, row);
  return letter;
}

const char* const kJobSql =
    "select j.job, j.pipeline, j.state, j.filter, j.reason, j.rate, j.failures_max, j.asked_by,"
    " j.approved_by,"
    " to_char(j.asked_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') as asked_at,"
    " to_char(j.ended_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') as ended_at,"
    " j.selected, j.delivered, j.refused, concat(p.updated_at, ' ',"
    " (select sum(o.delivered + o.refused) from outbox.replay_job o where o.pipeline = j.pipeline))"
    " as activity"
    " from outbox.replay_job j left join outbox.progress p on p.pipeline = j.pipeline";

core::ReplayJob job_of(const Rows& rows, int row) {
  core::ReplayJob job;
  job.job = number_of<uint64_t>(rows, row, "job");
  job.pipeline = text_of(rows, row, "pipeline");
  job.state = text_of(rows, row, "state");
  job.filter = text_of(rows, row, "filter");
  job.reason = text_of(rows, row, "reason");
  job.rate = number_if_any<uint32_t>(rows, row, "rate");
  job.failures_max = number_if_any<uint32_t>(rows, row, "failures_max");
  job.asked_by = text_of(rows, row, "asked_by");
  job.asked_at = text_of(rows, row, "asked_at");
  job.approved_by = rows.text(row, "approved_by");
  job.ended_at = rows.text(row, "ended_at");
  job.selected = number_of<uint64_t>(rows, row, "selected");
  job.delivered = number_of<uint64_t>(rows, row, "delivered");
  job.refused = number_of<uint64_t>(rows, row, "refused");
  job.activity = text_of(rows, row, "activity");
  return job;
}

std::vector<core::LetterGroup> groups_of(const Rows& rows) {
  std::vector<core::LetterGroup> groups;
  for (int row = 0; row < rows.count(); ++row) {
    core::LetterGroup& group = groups.emplace_back();
    group.pipeline = text_of(rows, row, "pipeline");
    group.code = rows.text(row, "code");
    group.topic = rows.text(row, "topic");
    group.state = text_of(rows, row, "state");
    group.letters = number_of<uint64_t>(rows, row, "letters");
    group.first_at = text_of(rows, row, "first_at");
    group.last_at = text_of(rows, row, "last_at");
  }
  return groups;
}

std::vector<core::LetterAct> acts_of(const Rows& rows) {
  std::vector<core::LetterAct> acts;
  for (int row = 0; row < rows.count(); ++row) {
    core::LetterAct& act = acts.emplace_back();
    act.at = text_of(rows, row, "at");
    act.who = text_of(rows, row, "who");
    act.client = text_of(rows, row, "client");
    act.action = text_of(rows, row, "action");
    act.job = number_if_any<uint64_t>(rows, row, "job");
    act.reason = rows.text(row, "reason");
    act.detail = rows.text(row, "detail");
  }
  return acts;
}

std::string bytea_text(std::string_view bytes) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string text = "\\x";
  text.reserve(2 + 2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

std::optional<std::string> bytes_of_text(std::string_view text) {
  if (!text.starts_with("\\x") || text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 2 - 1);
  for (size_t i = 2; i < text.size(); i += 2) {
    const auto high = digit_of(text[i]);
    const auto low = digit_of(text[i + 1]);
    if (!high || !low) return std::nullopt;
    bytes += static_cast<char>(*high * 16 + *low);
  }
  return bytes;
}

}  // namespace outbox::postgres
