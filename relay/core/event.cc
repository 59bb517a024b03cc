#include "relay/core/event.h"

#include <new>

#include "relay/core/assert.h"

namespace outbox::core {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

bool dash_before(size_t byte) { return byte == 4 || byte == 6 || byte == 8 || byte == 10; }

}  // namespace

std::string to_string(const Uuid& id) {
  std::string text;
  text.reserve(36);
  for (size_t i = 0; i < id.bytes.size(); ++i) {
    if (dash_before(i)) text.push_back('-');
    text.push_back(kHexDigits[id.bytes[i] >> 4]);
    text.push_back(kHexDigits[id.bytes[i] & 15]);
  }
  return text;
}

std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  Uuid id;
  size_t at = 0;
  for (size_t i = 0; i < id.bytes.size(); ++i) {
    if (dash_before(i) && text[at++] != '-') return std::nullopt;
    const int high = hex_value(text[at++]);
    const int low = hex_value(text[at++]);
    if (high < 0 || low < 0) return std::nullopt;
    id.bytes[i] = static_cast<unsigned char>(high * 16 + low);
  }
  return id;
}

size_t Event::bytes() const {
  size_t total = sizeof(Uuid) + aggregate_type.size() + event_type.size();
  if (aggregate_id) total += aggregate_id->size();
  if (payload) total += payload->size();
  for (const Header& header : headers) {
    total += header.name.size() + (header.value ? header.value->size() : 0);
  }
  for (const Extra& extra : extras) total += extra.text ? extra.text->size() : 0;
  return total;
}

void append_origin(std::string& out, const Event& event, PositionForm form) {
  if (form != PositionForm::told) return append_position(out, event.position, form);
  OUTBOX_ASSERT(!event.extras.empty() && event.extras.back().text);
  out += *event.extras.back().text;
}

std::string_view replay_number(const Event& event) {
  OUTBOX_ASSERT(event.extras.size() >= 2);
  const Extra& number = event.extras[event.extras.size() - 2];
  OUTBOX_ASSERT(number.text);
  return *number.text;
}

Event detach(const Event& event, ChunkPool& pool, ChunkRef& chunk) {
  const size_t table_bytes = event.headers.size() * sizeof(Header);
  const size_t extras_bytes = event.extras.size() * sizeof(Extra);
  chunk =
      pool.single(event.bytes() + table_bytes + alignof(Header) + extras_bytes + alignof(Extra));
  Event copy = event;
  Header* table = nullptr;
  if (!event.headers.empty()) {
    table = static_cast<Header*>(chunk->reserve(table_bytes, alignof(Header)));
  }
  copy.aggregate_type = chunk->append(event.aggregate_type);
  if (event.aggregate_id) copy.aggregate_id = chunk->append(*event.aggregate_id);
  copy.event_type = chunk->append(event.event_type);
  if (event.payload) copy.payload = chunk->append(*event.payload);
  for (size_t i = 0; i < event.headers.size(); ++i) {
    Header* header = new (table + i) Header{chunk->append(event.headers[i].name), std::nullopt};
    if (event.headers[i].value) header->value = chunk->append(*event.headers[i].value);
  }
  copy.headers = {table, event.headers.size()};
  if (event.extras.empty()) return copy;
  auto* extras = static_cast<Extra*>(chunk->reserve(extras_bytes, alignof(Extra)));
  for (size_t i = 0; i < event.extras.size(); ++i) {
    Extra* extra = new (extras + i) Extra(event.extras[i]);
    if (extra->text) extra->text = chunk->append(*extra->text);
  }
  copy.extras = {extras, event.extras.size()};
  return copy;
}

}  // namespace outbox::core
