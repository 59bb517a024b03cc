#include "connectors/kafka/record_headers.h"

#include <array>

#include "relay/core/assert.h"

namespace outbox::kafka {
namespace {

constexpr size_t kOwnHeaders = 6;
constexpr size_t kUuidText = 36;

constexpr std::array<std::array<char, 2>, 256> kHexPairs = [] {
  constexpr char kDigits[] = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> pairs{};
  for (size_t byte = 0; byte < pairs.size(); ++byte) {
    pairs[byte] = {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return pairs;
}();

// As core::to_string(Uuid), without an allocation.
std::array<char, kUuidText> text_of(const core::Uuid& id) {
  std::array<char, kUuidText> text{};
  size_t at = 0;
  for (size_t i = 0; i < id.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text[at++] = '-';
    const auto& pair = kHexPairs[id.bytes[i]];
    text[at++] = pair[0];
    text[at++] = pair[1];
  }
  return text;
}

}  // namespace

void add_header(rd_kafka_headers_t* headers, std::string_view name,
                std::optional<std::string_view> value) {
  const char* bytes = nullptr;  // a null value, as against an empty one
  if (value) bytes = value->data() != nullptr ? value->data() : "";
  const rd_kafka_resp_err_t error =
      rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), bytes,
                          static_cast<ssize_t>(value ? value->size() : 0));
  OUTBOX_ASSERT(error == RD_KAFKA_RESP_ERR_NO_ERROR);
}

HeadersHandle HeadersWriter::write(const core::Event& event, core::PositionForm form,
                                   uint64_t epoch, size_t more) {
  HeadersHandle headers(rd_kafka_headers_new(kOwnHeaders + event.headers.size() + more));
  if (epoch_text_.empty() || epoch != epoch_) {
    epoch_ = epoch;
    epoch_text_ = std::to_string(epoch);
  }
  position_.clear();
  core::append_origin(position_, event, form);
  const auto id = text_of(event.id);
  rd_kafka_headers_t* out = headers.get();
  add_header(out, "id", std::string_view(id.data(), id.size()));
  add_header(out, "type", event.event_type);
  add_header(out, "aggregate_type", event.aggregate_type);
  add_header(out, "position", position_);
  add_header(out, "epoch", epoch_text_);
  if (form == core::PositionForm::told) add_header(out, kReplays, core::replay_number(event));
  for (const core::Header& header : event.headers) add_header(out, header.name, header.value);
  return headers;
}

}  // namespace outbox::kafka
