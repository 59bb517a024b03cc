#pragma once
// A WalReader that is fed messages, and what it handed out.

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "connectors/postgres/detail/wal_reader.h"
#include "tests/unit/postgres/wire.h"

namespace outbox::postgres {

inline int buffers_freed = 0;

inline void free_buffer(void* bytes) {
  ++buffers_freed;
  std::free(bytes);
}

class WalReaderTest : public testing::Test {
 protected:
  explicit WalReaderTest(const ColumnNames& names = {}, OnUpdate on_update = OnUpdate::ignore,
                         std::vector<CaptureRule> captures = {})
      : reader_(TableName{}, names, pool_, on_update, std::move(captures)) {
    buffers_freed = 0;
  }

  core::Result<ReadStep> read(const std::string& copy_data) {
    auto* bytes = static_cast<char*>(std::malloc(copy_data.size()));
    std::memcpy(bytes, copy_data.data(), copy_data.size());
    last_buffer_ = {bytes, copy_data.size()};
    CopyBuffer buffer(bytes, copy_data.size(), free_buffer);
    return reader_.read(buffer, batch_);
  }

  void feed(uint64_t lsn, const std::string& body) {
    const auto step = read(wire::xlog_data(lsn, body));
    ASSERT_TRUE(step.ok()) << core::to_string(step.error());
    ASSERT_EQ(*step, ReadStep::go_on);
  }

  // A transaction of `rows` outbox inserts, with the LSNs that Postgres gives: BEGIN and the first
  // row share theirs.
  void feed_transaction(uint64_t commit_lsn, uint64_t end_lsn, int rows) {
    feed(commit_lsn - 50, wire::begin(commit_lsn));
    feed(commit_lsn - 50, wire::event_relation());
    for (int i = 1; i <= rows; ++i) {
      feed(commit_lsn - 50, wire::event_insert({.seq = static_cast<uint64_t>(i)}));
    }
    feed(end_lsn, wire::commit(commit_lsn, end_lsn));
  }

  std::vector<std::string> handed_out() {
    std::vector<std::string> texts;
    for (const core::Item& item : batch_) {
      const std::string at = std::to_string(item.event.position.major) + "/" +
                             std::to_string(item.event.position.minor);
      texts.push_back((item.kind == core::ItemKind::event ? "event " : "boundary ") + at);
    }
    batch_.clear();
    return texts;
  }

  using Texts = std::vector<std::string>;

  core::ChunkPool pool_;
  core::Batch batch_;
  WalReader reader_;
  std::string_view last_buffer_;
};

class StrictWalReaderTest : public WalReaderTest {
 protected:
  StrictWalReaderTest() : WalReaderTest({}, OnUpdate::stop) {}
};

class ExtraColumnsTest : public WalReaderTest {
 protected:
  ExtraColumnsTest() : WalReaderTest(names()) {}

  static ColumnNames names() {
    ColumnNames names;
    names.extras = {{"created_at", ExtraColumn::Use::time}, {"none"}, {"event_type"}};
    names.extras[1].absence = ExtraColumn::Absence::passed_over;
    return names;
  }
};

}  // namespace outbox::postgres
