// A whole conversation: the input is a row of CopyData messages, each after a length of two bytes.
// Whatever they say, events come out in order, each once, and every byte of them can be read: with
// and without business tables.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "connectors/postgres/detail/byte_cursor.h"
#include "connectors/postgres/detail/wal_reader.h"
#include "relay/core/assert.h"

namespace outbox::postgres {
namespace {

size_t touch(std::string_view text) {
  size_t sum = 0;
  for (const char c : text) sum += static_cast<unsigned char>(c);
  return sum;
}

size_t touch(const core::Event& event) {
  size_t sum = touch(event.aggregate_type) + touch(event.event_type);
  sum += touch(event.aggregate_id.value_or("")) + touch(event.payload.value_or(""));
  for (const core::Header& header : event.headers) {
    sum += touch(header.name) + touch(header.value.value_or(""));
  }
  return sum;
}

// Returns false once the reader has refused something: then a session ends.
bool feed(WalReader& reader, std::string_view bytes, core::Batch& batch) {
  auto* copy = static_cast<char*>(std::malloc(bytes.size() + 1));
  OUTBOX_ASSERT(copy != nullptr);
  bytes.copy(copy, bytes.size());
  CopyBuffer buffer(copy, bytes.size(), std::free);
  const auto step = reader.read(buffer, batch);
  return step.ok() && *step == ReadStep::go_on;
}

std::vector<CaptureRule> captures() {
  CaptureRule done;
  done.table = {"shop", "orders"};
  done.aggregate_type = "order";
  done.key = {"id"};
  done.update = done.erase = "done";
  done.when = {{"status", CaptureCondition::Kind::changed_to, "DONE"}};
  CaptureRule any = done;
  any.insert = "made";
  any.before = true;
  any.when = {};
  CaptureRule line = any;
  line.table.name = "lines";
  line.key = {"id", "status"};
  line.columns = {"status", "doc"};
  return {done, any, line};
}

void converse(std::string_view input, std::vector<CaptureRule> rules) {
  core::ChunkPool pool;
  core::Batch batch;
  WalReader reader(TableName{}, ColumnNames{}, pool, OnUpdate::ignore, std::move(rules));
  ByteCursor in(input);
  while (in.left() > 0) {
    const std::string_view message = in.bytes(in.u16());
    if (!in.ok()) break;
    if (!feed(reader, message, batch)) reader.begin_session();
  }
  core::Position last{};
  size_t sum = 0;
  for (const core::Item& item : batch) {
    OUTBOX_ASSERT(item.event.position > last);
    last = item.event.position;
    if (item.kind == core::ItemKind::event) sum += touch(item.event);
  }
  OUTBOX_ASSERT(sum < SIZE_MAX);  // so that the reads above are made
}

}  // namespace
}  // namespace outbox::postgres

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  outbox::postgres::converse(input, {});
  outbox::postgres::converse(input, outbox::postgres::captures());
  return 0;
}
