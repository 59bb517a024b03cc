#include "connectors/kafka/record_image.h"

namespace outbox::kafka {

std::optional<core::Cause> RecordImage::make(uint32_t route, const core::Event& event,
                                             const FormatContext& context) {
  if (formats_.plain(route)) {
    make_plain(event, context);
    return std::nullopt;
  }
  if (auto cause = formats_.address(route, event, record_)) return cause;
  return formats_.write(route, event, context, record_);
}

void RecordImage::make_plain(const core::Event& event, const FormatContext& context) {
  record_.clear();
  record_.key = event.aggregate_id;
  record_.value = event.payload;
  std::string& id = record_.new_text();
  id = core::to_string(event.id);
  record_.add("id", id);
  record_.add("type", event.event_type);
  record_.add("aggregate_type", event.aggregate_type);
  record_.add_origin(event, context);
  for (const core::Header& header : event.headers) record_.add(header.name, header.value);
  record_.timestamp_ms = event.commit_time.us / 1'000;
}

}  // namespace outbox::kafka
