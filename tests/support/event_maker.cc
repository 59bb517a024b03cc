#include "tests/support/event_maker.h"

#include <new>

#include "relay/core/assert.h"
#include "relay/core/limits.h"

namespace outbox::support {
namespace {

constexpr unsigned char kMark[8] = {0x0b, 0x0e, 0x4d, 0x21, 0x7a, 0x11, 0x4c, 0x0a};

size_t bytes_of(const EventSpec& spec) {
  size_t bytes = sizeof(core::Uuid) + spec.aggregate_type.size() + spec.event_type.size() +
                 (spec.key ? spec.key->size() : 0) + (spec.payload ? spec.payload->size() : 0) +
                 (spec.headers.size() + 1) * sizeof(core::Header);
  for (const auto& [name, value] : spec.headers) bytes += name.size() + (value ? value->size() : 0);
  return bytes;
}

}  // namespace

core::Uuid numbered_id(uint64_t number) {
  core::Uuid id;
  for (size_t i = 0; i < 8; ++i) {
    id.bytes[i] = kMark[i];
    id.bytes[8 + i] = static_cast<unsigned char>(number >> (56 - 8 * i));
  }
  return id;
}

uint64_t number_of(const core::Uuid& id) {
  uint64_t number = 0;
  for (size_t i = 0; i < 8; ++i) number = number << 8 | id.bytes[8 + i];
  OUTBOX_ASSERT(id == numbered_id(number));
  return number;
}

core::Item EventMaker::make(const EventSpec& spec, core::StreamId stream) {
  const size_t bytes = bytes_of(spec);
  if (bytes > core::kChunkBytes) {
    chunk_ = pool_.single(bytes);
  } else if (!chunk_ || chunk_->room() < bytes) {
    chunk_ = pool_.pooled();
  }
  core::Item item;
  item.stream = stream;
  core::Event& event = item.event;
  event.id = numbered_id(spec.number);
  event.aggregate_type = chunk_->append(spec.aggregate_type);
  if (spec.key) event.aggregate_id = chunk_->append(*spec.key);
  event.event_type = chunk_->append(spec.event_type);
  if (spec.payload) event.payload = chunk_->append(*spec.payload);
  if (!spec.headers.empty()) {
    const size_t count = spec.headers.size();
    auto* table = static_cast<core::Header*>(
        chunk_->reserve(count * sizeof(core::Header), alignof(core::Header)));
    for (size_t i = 0; i < count; ++i) {
      const auto& [name, value] = spec.headers[i];
      auto* header = new (table + i) core::Header{chunk_->append(name), std::nullopt};
      if (value) header->value = chunk_->append(*value);
    }
    event.headers = {table, count};
  }
  event.headers_fault = spec.headers_fault;
  event.commit_time = spec.commit_time;
  event.position = spec.position;
  event.seq = spec.seq;
  item.chunk = chunk_;
  return item;
}

std::string difference(const EventSpec& spec, const core::Event& event) {
  if (event.id != numbered_id(spec.number)) return "another id";
  if (event.aggregate_type != spec.aggregate_type) return "another aggregate_type";
  if (event.aggregate_id.has_value() != spec.key.has_value()) return "a key came or went";
  if (spec.key && *event.aggregate_id != *spec.key) return "another key";
  if (event.event_type != spec.event_type) return "another event_type";
  if (event.payload.has_value() != spec.payload.has_value()) return "a payload came or went";
  if (spec.payload && *event.payload != *spec.payload) return "another payload";
  if (event.commit_time != spec.commit_time) return "another commit time";
  if (event.position != spec.position) return "another position";
  if (event.headers.size() != spec.headers.size()) return "another number of headers";
  for (size_t i = 0; i < spec.headers.size(); ++i) {
    const auto& [name, value] = spec.headers[i];
    if (event.headers[i].name != name || event.headers[i].value != value) return "another header";
  }
  return "";
}

}  // namespace outbox::support
