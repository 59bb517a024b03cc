// The pgoutput decoder alone: one message of any bytes.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "connectors/postgres/detail/pgoutput.h"
#include "relay/core/assert.h"

namespace outbox::postgres {
namespace {

bool inside(std::string_view view, std::string_view whole) {
  return view.empty() ||
         (view.data() >= whole.data() && view.data() + view.size() <= whole.data() + whole.size());
}

void check_row(std::span<const Value> row, std::string_view bytes) {
  for (const Value& value : row) OUTBOX_ASSERT(inside(value.bytes, bytes));
}

void check(const Message& message, std::string_view bytes) {
  if (const auto* insert = std::get_if<Insert>(&message)) check_row(insert->row, bytes);
  if (const auto* update = std::get_if<Update>(&message)) {
    check_row(update->row, bytes);
    check_row(update->old_row, bytes);
  }
  if (const auto* erase = std::get_if<Delete>(&message)) check_row(erase->old_row, bytes);
  if (const auto* relation = std::get_if<Relation>(&message)) {
    for (const RelationColumn& column : relation->columns) {
      OUTBOX_ASSERT(inside(column.name, bytes));
    }
  }
}

}  // namespace
}  // namespace outbox::postgres

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace outbox::postgres;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  PgoutputDecoder decoder;
  Message message;
  if (decoder.decode(bytes, message) == DecodeFault::none) check(message, bytes);
  return 0;
}
