#include "tests/support/fake_upstream.h"

#include <algorithm>
#include <utility>

#include "relay/core/assert.h"

namespace outbox::support {

void FakeUpstream::commit(uint64_t commit_lsn, uint64_t end_lsn, std::vector<EventSpec> events) {
  OUTBOX_ASSERT(commit_lsn < end_lsn);
  uint64_t ordinal = 0;
  for (EventSpec& event : events) {
    event.position = {commit_lsn, ++ordinal};
    append({core::ItemKind::event, std::move(event)});
  }
  keepalive(end_lsn);
}

void FakeUpstream::keepalive(uint64_t lsn) {
  Entry entry;
  entry.kind = core::ItemKind::boundary;
  entry.event.position = {lsn, 0};
  append(std::move(entry));
}

void FakeUpstream::append(Entry entry) {
  OUTBOX_ASSERT(entry.event.position >= end_);
  end_ = entry.event.position;
  entries_.push_back(std::move(entry));
}

void FakeUpstream::confirm(core::Position boundary) { confirmed_ = std::max(confirmed_, boundary); }

}  // namespace outbox::support
