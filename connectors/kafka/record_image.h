#pragma once
// RecordImage: the record that the sink makes of an event, without sending it; for whoever
// compares. The same formats as the sink's, and for plain routes the same headers as
// HeadersWriter's.
//
// Thread: one. The record's views hold until the next make(), and not beyond the event's.

#include <optional>
#include <vector>

#include "connectors/kafka/format/formats.h"

namespace outbox::kafka {

class RecordImage {
 public:
  /// One entry a route, in the Router's order; routes beyond the last are plain.
  explicit RecordImage(const std::vector<RouteFormat>& formats) : formats_(formats) {}

  /// The Cause says why the sink would refuse the event: then record() holds nothing of use.
  std::optional<core::Cause> make(uint32_t route, const core::Event& event,
                                  const FormatContext& context);
  /// What a dead letter holds beside its cause: always the plain form.
  void make_plain(const core::Event& event, const FormatContext& context);

  const FormattedRecord& record() const { return record_; }
  bool plain(uint32_t route) const { return formats_.plain(route); }

 private:
  Formats formats_;
  FormattedRecord record_;
};

}  // namespace outbox::kafka
