#include "connectors/postgres/lost_batch.h"

#include <optional>

#include "connectors/postgres/detail/json_text.h"
#include "connectors/postgres/detail/letter_text.h"

namespace outbox::postgres {
namespace {

// One transaction, for which the relay's own writes wait.
constexpr size_t kEventsMost = 500;
constexpr size_t kBytesMost = 1024 * 1024;

std::string json_of(const std::optional<std::string_view>& text) {
  if (!text) return "null";
  std::string json;
  StringWriter out{json};
  put_json_string(*text, out);
  return json;
}

std::string hexadecimal(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size() + 2);
  text += '"';
  for (const char one : bytes) {
    const auto byte = static_cast<unsigned char>(one);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text += '"';
}

}  // namespace

bool LostBatch::full() const { return count_ >= kEventsMost || text_.size() >= kBytesMost; }

void LostBatch::add(const core::Event& event, std::string_view topic, std::string_view route,
                    std::string_view detail) {
  text_ += count_++ == 0 ? "[" : ",";
  text_ += "{\"seq\":" + std::to_string(event.seq);
  put("id", '"' + to_string(event.id) + '"');
  put("aggregate_type", json_of(event.aggregate_type));
  put("aggregate_id", json_of(event.aggregate_id));
  put("event_type", json_of(event.event_type));
  put("payload", event.payload ? hexadecimal(*event.payload) : "null");
  put("payload_kind", json_of(payload_kind_text(event.payload_kind)));
  put("headers", headers_text(event.headers));
  const bool usable = event.headers_fault == core::HeadersFault::none;
  put("headers_fault", usable ? "null" : json_of(headers_fault_text(event.headers_fault)));
  put("extras", extras_text(extras_, event.extras));
  put("commit_time_us", std::to_string(event.commit_time.us));
  put("topic", topic.empty() ? "null" : json_of(topic));
  put("route", json_of(route));
  put("detail", json_of(detail));
  text_ += '}';
}

void LostBatch::clear() {
  text_.clear();
  count_ = 0;
}

void LostBatch::put(std::string_view name, std::string_view json) {
  text_ += ",\"";
  text_ += name;
  text_ += "\":";
  text_ += json;
}

}  // namespace outbox::postgres
