#include "connectors/postgres/detail/emitted.h"

#include <algorithm>

#include "connectors/postgres/detail/byte_cursor.h"

namespace outbox::postgres {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint32_t kNull = 0xffffffff;

std::optional<std::string_view> value(ByteCursor& in) {
  const uint32_t size = in.u32();
  if (size == kNull) return std::nullopt;
  return in.bytes(size);
}

}  // namespace

EmittedFault read_emitted(std::string_view content, OutboxRow& row) {
  ByteCursor in(content);
  if (in.u8() != kVersion) {
    return content.empty() ? EmittedFault::malformed : EmittedFault::unknown_version;
  }
  const std::string_view id = in.bytes(row.id.bytes.size());
  const auto aggregate_type = value(in);
  row.aggregate_id = value(in);
  const auto event_type = value(in);
  row.headers = value(in).value_or("");
  row.payload = value(in);
  if (!in.at_end() || !aggregate_type || !event_type) return EmittedFault::malformed;
  std::copy(id.begin(), id.end(), row.id.bytes.begin());
  row.aggregate_type = *aggregate_type;
  row.event_type = *event_type;
  row.seq = 0;
  for (std::string& scratch : row.scratch) scratch.clear();
  row.payload_kind = core::PayloadKind::bytes;  // the message does not tell
  row.extras.clear();  // columns of the table, which a message does not have
  return EmittedFault::none;
}

}  // namespace outbox::postgres
