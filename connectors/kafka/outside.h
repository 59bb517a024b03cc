#pragma once
// Outside: the records that the client library holds. Each has a place, whose number rides through
// the library as the record's opaque. Places are reused, so that nothing is allocated per record.

#include <cstdint>
#include <vector>

#include "relay/core/assert.h"
#include "relay/core/position.h"

namespace outbox::kafka {

struct OutsideRecord {
  core::Ticket ticket;
  uint32_t topic = 0;
  uint32_t partition = 0;
  size_t bytes = 0;
};

class Outside {
 public:
  size_t count() const { return count_; }
  /// Bytes of the records, with what the library adds to each.
  size_t bytes() const { return bytes_; }

  /// The opaque is never null.
  void* add(const OutsideRecord& record) {
    uint32_t place;
    if (free_.empty()) {
      place = static_cast<uint32_t>(places_.size());
      places_.push_back(record);
    } else {
      place = free_.back();
      free_.pop_back();
      places_[place] = record;
    }
    ++count_;
    bytes_ += record.bytes;
    return reinterpret_cast<void*>(static_cast<uintptr_t>(place) + 1);
  }

  OutsideRecord remove(void* opaque) {
    const auto place = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(opaque) - 1);
    OUTBOX_ASSERT(place < places_.size());
    const OutsideRecord record = places_[place];
    OUTBOX_ASSERT(record.bytes != 0);
    places_[place].bytes = 0;
    free_.push_back(place);
    --count_;
    bytes_ -= record.bytes;
    return record;
  }

 private:
  std::vector<OutsideRecord> places_;
  std::vector<uint32_t> free_;
  size_t count_ = 0;
  size_t bytes_ = 0;
};

}  // namespace outbox::kafka
