#include "tests/support/fake_checkpoint.h"

#include <algorithm>
#include <utility>

#include "relay/core/assert.h"

namespace outbox::support {

ProgressStore::ProgressStore(size_t streams) {
  for (size_t stream = 0; stream < streams; ++stream) {
    rows.push_back({core::StreamId{static_cast<uint16_t>(stream)}, {}, {}});
  }
}

void FakeCheckpoint::save(const core::Progress& progress, uint64_t epoch) {
  OUTBOX_ASSERT(idle());
  saving_ = progress;
  newest_ = progress;
  epoch_ = epoch;
  ++save_count_;
  if (witness_ != nullptr) witness_->save_started(progress, epoch);
}

core::Result<std::optional<core::Progress>> FakeCheckpoint::poll(core::Now) {
  if (saving_ && how_ == Saves::at_once) complete();
  if (error_) return *error_;
  return std::exchange(durable_, std::nullopt);
}

void FakeCheckpoint::complete() {
  if (!saving_ || !connected_) return;
  if (write()) durable_ = saving_;
  saving_.reset();
}

void FakeCheckpoint::disconnect(Reached reached) {
  connected_ = false;
  if (saving_ && reached == Reached::yes) write();
}

bool FakeCheckpoint::write() {
  if (epoch_ < store_.epoch) {
    error_ = core::Error{core::Fault::fatal, "EPOCH_FENCED", "save progress", "", "", ""};
    return false;
  }
  core::Progress& row = store_.rows[saving_->stream.value];
  row.boundary = std::max(row.boundary, saving_->boundary);
  row.settled = std::max(row.settled, saving_->settled);
  if (witness_ != nullptr) witness_->saved(*saving_);
  return true;
}

}  // namespace outbox::support
