#include "connectors/postgres/detail/open_rows.h"

#include "connectors/postgres/detail/database_text.h"
#include "relay/core/assert.h"

namespace outbox::postgres {
namespace {

// A cause is for a person to read; what a broker says is shorter.
constexpr size_t kCauseBytesMost = 1000;

}  // namespace

uint64_t OpenRows::add(const core::Uuid& id, uint32_t shard) {
  rows_.push_back({id, shard});
  ++by_shard_[shard];
  return last();
}

void OpenRows::refuse(uint64_t number, const core::Cause& cause) {
  OUTBOX_ASSERT(number >= first_ && number <= last());
  refused_[number] = database_text(cause.code + ": " + cause.detail, kCauseBytesMost);
}

Marks OpenRows::marks(uint64_t number) const {
  OUTBOX_ASSERT(number <= last());
  Marks marks;
  auto refused = refused_.begin();
  for (uint64_t at = first_; at <= number; ++at) {
    const Row& row = rows_[at - first_];
    if (refused != refused_.end() && refused->first == at) {
      marks.failed.push_back(row.id);
      marks.causes.push_back(refused->second);
      ++refused;
    } else {
      marks.sent.push_back(row.id);
    }
  }
  return marks;
}

void OpenRows::settled(uint64_t number) {
  OUTBOX_ASSERT(number <= last());
  for (; first_ <= number; ++first_) {
    --by_shard_[rows_.front().shard];
    rows_.pop_front();
  }
  refused_.erase(refused_.begin(), refused_.upper_bound(number));
}

std::string OpenRows::ids() const {
  std::string text = "{";
  for (const Row& row : rows_) {
    if (text.size() > 1) text += ',';
    text += core::to_string(row.id);
  }
  return text + "}";
}

}  // namespace outbox::postgres
