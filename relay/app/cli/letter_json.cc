#include "relay/app/cli/letter_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "relay/app/cli/payload_text.h"

namespace outbox::app {
namespace {

using Json = nlohmann::ordered_json;

template <typename Value>
Json or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json();
}

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// JSON that Postgres checked is not read again: it may be nested deeply. Line ends are between its
/// values only, strings have them escaped.
std::string with(std::string object, const std::string& name, std::string json) {
  for (char& c : json) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  if (json.empty()) json = "null";
  object.insert(object.size() - 1, ",\"" + name + "\":" + json);
  return object;
}

Json flat(const core::Letter& letter) {
  return {{"letter", letter.letter},
          {"state", letter.state},
          {"pipeline", letter.pipeline},
          {"id", letter.event_id},
          {"aggregate_type", letter.aggregate_type},
          {"key", or_null(letter.key)},
          {"type", letter.type},
          {"topic", or_null(letter.topic)},
          {"code", or_null(letter.last_code)},
          {"detail", or_null(letter.last_detail)},
          {"first_code", or_null(letter.first_code)},
          {"first_detail", or_null(letter.first_detail)},
          {"attempts", letter.attempts},
          {"replays", letter.replays},
          {"written_at", letter.written_at},
          {"age_seconds", letter.age_seconds},
          {"last_attempt_at", letter.last_attempt_at},
          {"commit_time", letter.commit_time},
          {"seq", or_null(letter.seq)},
          {"position", letter.source_position},
          {"epoch", letter.epoch},
          {"relay", letter.relay},
          {"place", letter.place},
          {"lane", or_null(letter.lane)},
          {"job", or_null(letter.job)},
          {"replaces", or_null(letter.replaces)}};
}

void add_payload(Json& json, const core::LetterContent& content) {
  json["payload_kind"] = content.payload_kind;
  json["payload_bytes"] = or_null(content.payload_bytes);
  const bool there = content.payload.has_value();
  if (!there && content.payload_bytes) return;  // not asked for
  const bool text = there && is_utf8(*content.payload);
  json["payload_encoding"] = !there ? Json() : Json(text ? "text" : "base64");
  json["payload"] = !there ? Json() : Json(text ? *content.payload : base64_of(*content.payload));
}

Json as_json(const core::LetterLane& lane) {
  return {{"state", lane.state},
          {"before", lane.before},
          {"behind", lane.behind},
          {"attempts", lane.attempts},
          {"next_attempt_at", or_null(lane.next_attempt_at)},
          {"give_up_at", or_null(lane.give_up_at)},
          {"job", or_null(lane.job)}};
}

std::string json_of(const core::LetterAct& act) {
  const Json json = {
      {"at", act.at},         {"who", act.who},          {"client", act.client},
      {"action", act.action}, {"job", or_null(act.job)}, {"reason", or_null(act.reason)}};
  return with(dumped(json), "detail", act.detail.value_or(""));
}

}  // namespace

std::string json_of(const core::LetterGroup& group) {
  return dumped({{"pipeline", group.pipeline},
                 {"code", or_null(group.code)},
                 {"topic", or_null(group.topic)},
                 {"state", group.state},
                 {"letters", group.letters},
                 {"first_at", group.first_at},
                 {"last_at", group.last_at}});
}

std::string json_of(const core::Letter& letter) {
  Json json = flat(letter);
  if (!letter.content) return dumped(json);
  const core::LetterContent& content = *letter.content;
  add_payload(json, content);
  json["headers_fault"] = or_null(content.headers_fault);
  return with(with(dumped(json), "headers", content.headers), "extras", content.extras);
}

std::string json_of(const core::Letter& letter, const core::LetterHistory& history) {
  std::string acts;
  for (const core::LetterAct& act : history.acts) acts += (acts.empty() ? "" : ",") + json_of(act);
  std::string json = with(json_of(letter), "replaced_by", dumped(or_null(history.replaced_by)));
  json = with(json, "key_queue", history.lane ? dumped(as_json(*history.lane)) : "null");
  return with(json, "history", "[" + acts + "]");
}

std::string json_of(const core::ReplayJob& job) {
  const Json json = {{"job", job.job},
                     {"pipeline", job.pipeline},
                     {"state", job.state},
                     {"selected", job.selected},
                     {"delivered", job.delivered},
                     {"refused", job.refused},
                     {"rate", or_null(job.rate)},
                     {"max_failures", or_null(job.failures_max)},
                     {"asked_by", job.asked_by},
                     {"asked_at", job.asked_at},
                     {"approved_by", or_null(job.approved_by)},
                     {"ended_at", or_null(job.ended_at)},
                     {"reason", job.reason}};
  return with(dumped(json), "filter", job.filter);
}

}  // namespace outbox::app
