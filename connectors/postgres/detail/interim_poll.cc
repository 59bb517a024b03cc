#include "connectors/postgres/detail/interim_poll.h"

#include <algorithm>
#include <utility>

namespace outbox::postgres {

using core::Result;

Result<void> InterimPoll::begin(InterimStart start, core::Position handed, core::Now now) {
  since_ = std::max({since_, start.identity.flushed, core::Lsn{handed.major + 1}});
  handed_ = handed;
  begun_ = true;
  return reader_.begin(std::move(start.connection), std::move(start.statements),
                       start.delivered_seq, now);
}

Result<void> InterimPoll::poll(core::Batch& batch, core::Credit credit, core::Now now) {
  const size_t first = batch.size();
  const Result<PollReader::Step> step = reader_.poll(batch, credit, now);
  if (!step) return step.error();
  for (size_t i = first; i < batch.size(); ++i) {
    core::Item& item = batch[i];
    item.event.position = handed_ = position(item.event.position.major);
    if (item.kind == core::ItemKind::event) ++rows_;
  }
  if (*step == PollReader::Step::lost) slot_wait_->ask_again();
  return {};
}

bool InterimPoll::end() {
  reader_.end();
  slot_wait_->clear();
  return std::exchange(begun_, false);
}

std::string InterimPoll::reason(const std::string& waiting) const {
  const std::string held_back = reader_.held_back();
  return "polling meanwhile; " + waiting + (held_back.empty() ? "" : "; " + held_back);
}

}  // namespace outbox::postgres
