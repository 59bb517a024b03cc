#include "connectors/kafka/format/formatted_record.h"

namespace outbox::kafka {

std::string& FormattedRecord::new_text() {
  if (texts_used_ == texts_.size()) texts_.emplace_back();
  std::string& text = texts_[texts_used_++];
  text.clear();
  return text;
}

void FormattedRecord::add_origin(const core::Event& event, const FormatContext& context) {
  std::string& position = new_text();
  core::append_origin(position, event, context.position_form);
  std::string& epoch = new_text();
  epoch = std::to_string(context.epoch);
  add("position", position);
  add("epoch", epoch);
}

void FormattedRecord::clear() {
  key.reset();
  value.reset();
  headers.clear();
  timestamp_ms = 0;
  partition.reset();
  texts_used_ = 0;
}

}  // namespace outbox::kafka
