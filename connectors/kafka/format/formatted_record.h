#pragma once
// FormattedRecord: what a format makes of one event. Views point into the event, into the texts
// beside them, or into the format's own options. Reused: clear() keeps its memory.
//
// Thread: the pipeline's. Lifetime of the views: until the next clear(), and not beyond the
// event's.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/core/event.h"
#include "relay/core/position.h"

namespace outbox::kafka {

/// What a format needs to know beside the event itself.
struct FormatContext {
  core::PositionForm position_form = core::PositionForm::number;
  uint64_t epoch = 0;
};

struct FormattedRecord {
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::vector<core::Header> headers;
  int64_t timestamp_ms = 0;
  std::optional<int64_t> partition;  // nullopt: by the key

  /// A text that lives as long as this record's content.
  std::string& new_text();
  void add(std::string_view name, std::optional<std::string_view> header) {
    headers.push_back({name, header});
  }
  /// The relay's own headers that say where the event came from: position, epoch.
  void add_origin(const core::Event& event, const FormatContext& context);
  void clear();

 private:
  std::deque<std::string> texts_;  // a deque, so that views stay while it grows
  size_t texts_used_ = 0;
};

}  // namespace outbox::kafka
