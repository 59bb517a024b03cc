#include "relay/app/wiring_repair.h"

#include <memory>
#include <utility>
#include <vector>

#include "connectors/postgres/letter_desk.h"
#include "connectors/postgres/row_reader.h"
#include "relay/app/topic_list.h"
#include "relay/app/wiring_options.h"
#include "relay/core/assert.h"
#include "relay/flow/router.h"

namespace outbox::app {
namespace {

using core::Result;

// Lost rows that lie so near to one another are read together with those between them.
constexpr uint64_t kGapMost = 100;
constexpr size_t kRangeRowsMost = 1000;

class Filing {
 public:
  Filing(const RepairInputs& inputs, const postgres::PostgresOptions& source)
      : inputs_(inputs),
        source_(source),
        router_(inputs.pipeline.routes, topics_),
        desk_(source),
        batch_(source.columns.extras) {}

  Result<RepairCounts> run() {
    auto rows = postgres::RowReader::open(source_, pool_);
    if (!rows) return rows.error();
    rows_ = std::move(*rows);
    while (true) {
      const auto any = take_range();
      if (!any) return any.error();
      if (!*any) break;
      if (auto read = read_range(); !read) return read.error();
    }
    if (auto filed = file(); !filed) return filed.error();
    return counts_;
  }

 private:
  /// Fills wanted_; false: there is no more.
  Result<bool> take_range() {
    wanted_.clear();
    if (ahead_) wanted_.push_back(*std::exchange(ahead_, std::nullopt));
    while (wanted_.size() < kRangeRowsMost) {
      const auto next = inputs_.next();
      if (!next) return next.error();
      if (!*next) break;
      if (!wanted_.empty() && (*next)->seq > wanted_.back().seq + kGapMost) {
        ahead_ = **next;
        break;
      }
      wanted_.push_back(**next);
    }
    return !wanted_.empty();
  }

  Result<void> read_range() {
    at_ = 0;
    uint64_t after = wanted_.front().seq - 1;
    const uint64_t until = wanted_.back().seq;
    while (after < until) {
      const auto read =
          rows_->read(after, until, [this](const core::Event& event) { return take_row(event); });
      if (!read) return read.error();
      after = *read;
    }
    counts_.gone += wanted_.size() - at_;
    return {};
  }

  Result<void> take_row(const core::Event& event) {
    for (; at_ < wanted_.size() && wanted_[at_].seq < event.seq; ++at_) ++counts_.gone;
    if (at_ == wanted_.size() || wanted_[at_].seq != event.seq) return {};
    const LostRow lost = wanted_[at_++];
    const flow::Decision decision = router_.route(event);
    const core::Destination* topic = decision.destination;
    FiledEvent filed;
    filed.id = to_string(event.id);
    filed.seq = event.seq;
    if (event.aggregate_id) filed.key = *event.aggregate_id;
    if (topic != nullptr) filed.topic = topic->name;
    std::string detail = "outbox verify found neither a record nor a letter of it";
    if (lost.overtaken_by != 0) {
      filed.overtaken_by = lost.overtaken_by;
      detail += "; later events of its key were delivered before it, up to seq " +
                std::to_string(lost.overtaken_by);
    }
    batch_.add(event, filed.topic, router_.routes()[decision.route].name, detail);
    waiting_.push_back(std::move(filed));
    return batch_.full() ? file() : Result<void>();
  }

  Result<void> file() {
    if (batch_.empty()) return {};
    const auto answers = desk_.file_lost(batch_, inputs_.found_at, inputs_.reason);
    if (!answers) return answers.error();
    OUTBOX_ASSERT(answers->size() == waiting_.size());
    for (size_t i = 0; i < waiting_.size(); ++i) {
      OUTBOX_ASSERT((*answers)[i].seq == waiting_[i].seq);
      ++((*answers)[i].filed ? counts_.filed : counts_.known);
      if (!(*answers)[i].filed) continue;
      waiting_[i].letter = (*answers)[i].letter;
      inputs_.tell(waiting_[i]);
    }
    batch_.clear();
    waiting_.clear();
    return {};
  }

  const RepairInputs& inputs_;
  const postgres::PostgresOptions& source_;
  core::ChunkPool pool_;  // before the reader that fills its chunks
  std::unique_ptr<postgres::RowReader> rows_;
  TopicList topics_;
  flow::Router router_;
  postgres::LetterDesk desk_;
  postgres::LostBatch batch_;
  std::vector<FiledEvent> waiting_;  // of the batch
  std::vector<LostRow> wanted_;      // of the range that is being read
  size_t at_ = 0;                    // the next of them
  std::optional<LostRow> ahead_;
  RepairCounts counts_;
};

}  // namespace

Result<RepairCounts> file_lost_rows(const RepairInputs& inputs) {
  const postgres::PostgresOptions source =
      postgres_options(inputs.config.source_of(inputs.pipeline), inputs.pipeline);
  return Filing(inputs, source).run();
}

}  // namespace outbox::app
