#include "connectors/postgres/detail/event_builder.h"

#include <functional>
#include <new>

#include "relay/core/limits.h"

namespace outbox::postgres {
namespace {

// From here on a chunk of its own is cheaper than what it pins or copies.
constexpr size_t kAdoptBytes = core::kChunkBytes / 2;

bool inside(std::string_view view, std::string_view whole) {
  const std::less_equal<const char*> at_most;
  return at_most(whole.data(), view.data()) &&
         at_most(view.data() + view.size(), whole.data() + whole.size());
}

size_t scratch_bytes(const OutboxRow& row) {
  size_t total = 0;
  for (const std::string& text : row.scratch) total += text.size();
  for (const std::string& text : row.extra_scratch) total += text.size();
  if (!row.extras.empty()) total += row.extras.size() * sizeof(core::Extra) + alignof(core::Extra);
  return total;
}

}  // namespace

void EventBuilder::build(const OutboxRow& row, CopyBuffer& message, core::Item& item) {
  core::Event& event = item.event;
  event.headers_fault = headers_.parse(row.headers);
  const size_t header_count = headers_.headers().size();
  const size_t headers_bytes =
      header_count == 0
          ? 0
          : header_count * sizeof(core::Header) + alignof(core::Header) + headers_.text_bytes();

  house(message, headers_bytes + scratch_bytes(row), item);
  core::Chunk& chunk = *item.chunk;
  event.id = row.id;
  event.seq = row.seq;
  event.aggregate_type = keep(row.aggregate_type, chunk);
  event.event_type = keep(row.event_type, chunk);
  if (row.aggregate_id) event.aggregate_id = keep(*row.aggregate_id, chunk);
  if (row.payload) event.payload = keep(*row.payload, chunk);
  event.payload_kind = row.payload_kind;
  place_headers(event, chunk);
  if (!row.extras.empty()) place_extras(row, event, chunk);
}

void EventBuilder::place_extras(const OutboxRow& row, core::Event& event, core::Chunk& chunk) {
  auto* table = static_cast<core::Extra*>(
      chunk.reserve(row.extras.size() * sizeof(core::Extra), alignof(core::Extra)));
  for (size_t i = 0; i < row.extras.size(); ++i) {
    core::Extra* extra = new (table + i) core::Extra(row.extras[i]);
    if (extra->text) extra->text = keep(*extra->text, chunk);
  }
  event.extras = {table, row.extras.size()};
}

void EventBuilder::house(CopyBuffer& message, size_t extra_bytes, core::Item& item) {
  original_ = message.view();
  if (original_.size() + extra_bytes > kAdoptBytes) {
    const core::ForeignFree free = message.free_function();
    item.chunk = pool_.adopt(message.release(), original_.size(), free, extra_bytes);
    home_ = original_.data();
    return;
  }
  if (!current_ || current_->room() < original_.size() + extra_bytes) current_ = pool_.pooled();
  item.chunk = current_;
  home_ = current_->append(original_).data();
}

core::Chunk& EventBuilder::place(size_t bytes, core::Item& item) {
  if (bytes > kAdoptBytes) {
    item.chunk = pool_.single(bytes);
    return *item.chunk;
  }
  if (!current_ || current_->room() < bytes) current_ = pool_.pooled();
  item.chunk = current_;
  return *item.chunk;
}

std::string_view EventBuilder::keep(std::string_view view, core::Chunk& chunk) const {
  if (inside(view, original_)) return {home_ + (view.data() - original_.data()), view.size()};
  return chunk.append(view);
}

void EventBuilder::place_headers(core::Event& event, core::Chunk& chunk) {
  const auto headers = headers_.headers();
  event.headers = {};
  if (headers.empty()) return;
  auto* table = static_cast<core::Header*>(
      chunk.reserve(headers.size() * sizeof(core::Header), alignof(core::Header)));
  for (size_t i = 0; i < headers.size(); ++i) {
    const core::Header& from = headers[i];
    core::Header* header = new (table + i) core::Header{chunk.append(from.name), std::nullopt};
    if (from.value) header->value = chunk.append(*from.value);
  }
  event.headers = {table, headers.size()};
}

}  // namespace outbox::postgres
