#include "tests/support/fake_source.h"

#include <algorithm>

#include "relay/core/assert.h"

namespace outbox::support {

FakeSource::FakeSource(std::span<FakeUpstream> upstreams, std::span<const core::Progress> progress,
                       Witness* witness)
    : witness_(witness) {
  for (size_t number = 0; number < upstreams.size(); ++number) {
    Stream stream;
    stream.upstream = &upstreams[number];
    stream.confirmed = stream.upstream->confirmed();
    if (number < progress.size()) stream.drop_to = progress[number].settled;
    const auto& entries = stream.upstream->entries();
    // A slot gives whole transactions again; what lies at the confirmed position is not among them.
    while (stream.next < entries.size() &&
           entries[stream.next].event.position <= stream.confirmed) {
      ++stream.next;
    }
    stream.seen = stream.next;
    streams_.push_back(stream);
  }
}

void FakeSource::connect() {
  if (connected_) return;
  connected_ = true;
  for (Stream& stream : streams_) stream.seen = std::min(stream.seen, stream.next);
}

void FakeSource::send_status() {
  if (!connected_) return;
  for (Stream& stream : streams_) stream.upstream->confirm(stream.confirmed);
}

bool FakeSource::ready() const {
  return connected_ && std::any_of(streams_.begin(), streams_.end(), [](const Stream& stream) {
           return stream.upstream->entries().size() > stream.seen;
         });
}

core::Result<void> FakeSource::poll(core::Batch& batch, std::span<const core::Credit> credit,
                                    core::Now) {
  OUTBOX_ASSERT(credit.size() == streams_.size());
  newest_credit_.assign(credit.begin(), credit.end());
  if (error_) return *error_;
  if (!connected_) return {};
  for (uint16_t number = 0; number < streams_.size(); ++number) read(batch, number, credit[number]);
  maker_.let_go();
  return {};
}

void FakeSource::read(core::Batch& batch, uint16_t number, core::Credit credit) {
  Stream& stream = streams_[number];
  const auto& entries = stream.upstream->entries();
  size_t items = 0;
  while (stream.next < entries.size() && credit.events > 0 && credit.bytes > 0 &&
         items < items_per_poll_) {
    const FakeUpstream::Entry& entry = entries[stream.next++];
    if (entry.kind == core::ItemKind::boundary) {
      core::Item item;
      item.kind = core::ItemKind::boundary;
      item.stream = core::StreamId{number};
      item.event.position = entry.event.position;
      batch.push_back(std::move(item));
    } else if (entry.event.position > stream.drop_to) {
      batch.push_back(maker_.make(entry.event, core::StreamId{number}));
      --credit.events;
      credit.bytes -= std::min(credit.bytes, batch.back().event.bytes());
    }
    ++items;
  }
  stream.seen = items == items_per_poll_ ? stream.next : entries.size();
}

void FakeSource::confirm(const core::Settled& settled) {
  Stream& stream = streams_[settled.stream.value];
  OUTBOX_ASSERT(settled.low >= stream.confirmed);
  stream.confirmed = settled.low;
  confirms_.push_back(settled);
  if (witness_ != nullptr) witness_->confirmed(settled);
  if (!status_held_ && connected_) stream.upstream->confirm(settled.low);
}

}  // namespace outbox::support
