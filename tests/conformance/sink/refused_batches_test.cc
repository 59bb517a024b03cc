// Invariant 3 against a real broker: records that the broker refuses, in the first, middle and last
// batch of each partition, cost no other record its order, and no record is lost (invariant 1).
// Through the real Pipeline, with the Router's pre-checks off; read back by kcat.

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "connectors/kafka/kafka_sink.h"
#include "connectors/kafka/partitioner.h"
#include "relay/flow/pipeline.h"
#include "tests/conformance/sink/default_producer_sink.h"
#include "tests/conformance/sink/kafka_world.h"
#include "tests/support/event_maker.h"
#include "tests/support/fake_checkpoint.h"

namespace outbox {
namespace {

using support::read_topic;
using support::real_now;

constexpr size_t kRecordBytesMax = 100'000;
constexpr int64_t kDayUs = 86'400'000'000;

enum class Flaw { none, too_large, bad_timestamp };

// What the source hands out.
struct Load {
  size_t events = 0;
  size_t keys = 1;
  uint32_t partitions = 1;
  size_t payload_bytes = 80;
  std::map<size_t, Flaw> flaws;

  std::string key_of(size_t number) const { return "key-" + std::to_string(number % keys); }
};

// Three flaws a partition: among its first records (of odd partitions the very first, so that the
// seed itself is refused), in its middle, among its last.
Load spread_over_partitions() {
  Load load;
  const char* events = std::getenv("OUTBOX_REFUSAL_EVENTS");
  load.events = events == nullptr ? 200'000 : std::strtoul(events, nullptr, 10);
  load.keys = 1'000;
  load.partitions = 6;
  std::vector<std::vector<size_t>> by_partition(load.partitions);
  for (size_t number = 0; number < load.events; ++number) {
    by_partition[kafka::partition_of_key(load.key_of(number), load.partitions)].push_back(number);
  }
  for (uint32_t partition = 0; partition < load.partitions; ++partition) {
    const std::vector<size_t>& numbers = by_partition[partition];
    const size_t first = partition % 2 == 1 ? 0 : 20;
    for (const size_t at : {first, numbers.size() / 2, numbers.size() - 3}) {
      load.flaws[numbers[at]] = load.flaws.size() % 2 == 0 ? Flaw::too_large : Flaw::bad_timestamp;
    }
  }
  return load;
}

// Three records to a batch: only then does the client library send the second batch of a partition
// while the first is on its way. The first is refused; a broker that does not know the producer
// would take the second.
Load first_batch_refused() {
  Load load;
  load.events = 60;
  load.payload_bytes = 30'000;
  load.flaws[2] = Flaw::bad_timestamp;
  return load;
}

// Hands out numbered events; the payload begins with the number.
class NumberedSource : public core::Source {
 public:
  explicit NumberedSource(const Load& load) : load_(load) {}

  core::Result<void> poll(core::Batch& batch, std::span<const core::Credit> credit,
                          core::Now now) override {
    core::Credit left = credit[0];
    while (next_ < load_.events && left.events > 0 && left.bytes > 0) {
      batch.push_back(make(next_++, now));
      --left.events;
      left.bytes -= std::min(left.bytes, batch.back().event.bytes());
    }
    chunk_.reset();
    return {};
  }
  void confirm(const core::Settled&) override {}
  size_t stream_count() const override { return 1; }
  core::PositionForm position_form() const override { return core::PositionForm::number; }
  core::Interest interest(core::Instant) const override { return {}; }
  core::Health health() const override { return {core::HealthState::ok, ""}; }

 private:
  core::Item make(size_t number, core::Now now) {
    const auto flaw = load_.flaws.find(number);
    std::string payload = std::to_string(number) + ":" + std::string(load_.payload_bytes, 'p');
    if (flaw != load_.flaws.end() && flaw->second == Flaw::too_large) {
      payload.append(kRecordBytesMax, 'b');
    }
    const std::string key = load_.key_of(number);
    const size_t bytes = payload.size() + key.size();
    if (!chunk_ || chunk_->room() < bytes) {
      chunk_ = bytes > core::kChunkBytes ? pool_.single(bytes) : pool_.pooled();
    }
    core::Item item;
    item.event.id = support::numbered_id(number);
    item.event.aggregate_type = "order";
    item.event.event_type = "placed";
    item.event.aggregate_id = chunk_->append(key);
    item.event.payload = chunk_->append(payload);
    item.event.commit_time = now.wall;
    if (flaw != load_.flaws.end() && flaw->second == Flaw::bad_timestamp) {
      item.event.commit_time.us += kDayUs;
    }
    item.event.position = core::Position{number + 1, 0};
    item.chunk = chunk_;
    return item;
  }

  const Load& load_;
  size_t next_ = 0;
  core::ChunkPool pool_;
  core::ChunkRef chunk_;
};

struct Verdict {
  size_t lost = 0;
  size_t out_of_order = 0;
  size_t duplicates = 0;
  size_t dead_letters = 0;
  double events_per_second = 0;
};

size_t number_of(const support::ReadRecord& record) {
  return std::strtoul(record.value->c_str(), nullptr, 10);
}

Verdict judge(const std::string& topic, const Load& load) {
  Verdict verdict;
  std::vector<bool> seen(load.events);
  std::map<std::string, size_t> newest;
  for (const support::ReadRecord& record : read_topic(topic)) {
    const size_t number = number_of(record);
    if (seen[number]) {
      ++verdict.duplicates;
      continue;
    }
    seen[number] = true;
    const auto [known, first] = newest.emplace(*record.key, number);
    if (!first && known->second > number) ++verdict.out_of_order;
    known->second = std::max(known->second, number);
  }
  for (const support::ReadRecord& record : read_topic(topic + ".dead-letter")) {
    const size_t number = number_of(record);
    if (seen[number]) continue;
    seen[number] = true;
    ++verdict.dead_letters;
    EXPECT_TRUE(load.flaws.contains(number))
        << "innocent record " << number
        << " is a dead letter: " << record.header("outbox.error.code");
  }
  for (size_t number = 0; number < load.events; ++number) verdict.lost += seen[number] ? 0 : 1;
  return verdict;
}

enum class Producer { ours, default_settings };

Verdict run(Producer producer, const Load& load) {
  const std::string topic = support::make_topic(
      load.partitions, {{"max.message.bytes", std::to_string(kRecordBytesMax)}});
  auto kafka = kafka::Kafka::make(support::client_options());
  EXPECT_TRUE(kafka.ok());

  support::ProgressStore store(1);
  NumberedSource source(load);
  support::FakeCheckpoint checkpoint(store);
  auto journal = kafka->journal(support::unique_name("refusals"));
  std::unique_ptr<core::Sink> sink = kafka->sink();
  if (producer == Producer::default_settings) {
    sink =
        std::make_unique<support::DefaultProducerSink>(support::kafka_bootstrap(), load.partitions);
  }
  flow::Router router(
      {flow::Route{"all", std::nullopt, std::nullopt, topic, flow::OnFailure::dead_letter}}, *sink,
      flow::PreChecks::off);
  auto pipeline = std::make_unique<flow::Pipeline>(flow::PipelineOptions{}, source, router, *sink,
                                                   *journal, checkpoint);
  const auto started = std::chrono::steady_clock::now();
  support::until(std::chrono::seconds(300), [&] {
    const core::Now now = real_now();
    const auto next = pipeline->step(now, core::Lease{1, now.instant + std::chrono::seconds(10)});
    if (!next) {
      ADD_FAILURE() << core::to_string(next.error());
      return true;
    }
    if (!next->did_work) {
      support::wait_for({sink->interest(now.instant), journal->interest(now.instant)},
                        std::chrono::milliseconds(10));
    }
    return pipeline->counters().taken == load.events && pipeline->open_cells() == 0;
  });
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  Verdict verdict;
  verdict.events_per_second = static_cast<double>(load.events) / took.count();
  if (const auto* ours = dynamic_cast<kafka::KafkaSink*>(sink.get())) {
    std::printf("%zu rebuilds, %.0f events/s\n", static_cast<size_t>(ours->rebuilds()),
                verdict.events_per_second);
  }
  sink.reset();
  journal.reset();
  pipeline.reset();
  const double rate = verdict.events_per_second;
  verdict = judge(topic, load);
  verdict.events_per_second = rate;
  return verdict;
}

void expect_nothing_lost_or_moved(const Verdict& verdict, const Load& load) {
  EXPECT_EQ(verdict.out_of_order, 0U);
  EXPECT_EQ(verdict.lost, 0U);
  EXPECT_EQ(verdict.dead_letters, load.flaws.size());
  EXPECT_EQ(verdict.duplicates, 0U);
}

TEST(RefusedBatches, KeepTheOrderOfEveryKeyAndLoseNothing_Invariants1And3) {
  const Load load = spread_over_partitions();
  ASSERT_EQ(load.flaws.size(), 18U);
  const Verdict verdict = run(Producer::ours, load);
  RecordProperty("events_per_second", static_cast<int>(verdict.events_per_second));
  expect_nothing_lost_or_moved(verdict, load);
}

TEST(RefusedBatches, WithADefaultProducerFailThisVeryTest) {
  const Verdict verdict = run(Producer::default_settings, spread_over_partitions());
  std::printf("%zu out of order\n", verdict.out_of_order);
  EXPECT_GT(verdict.out_of_order, 0U);
}

TEST(RefusedBatches, AsTheFirstOfAPartitionLetNoLaterOneInBeforeThem_Invariant3) {
  for (int round = 0; round < 5; ++round) {
    const Load load = first_batch_refused();
    expect_nothing_lost_or_moved(run(Producer::ours, load), load);
  }
}

TEST(RefusedBatches, AsTheFirstOfAPartitionWithADefaultProducerFailThatTest) {
  size_t out_of_order = 0;
  for (int round = 0; round < 5; ++round) {
    out_of_order += run(Producer::default_settings, first_batch_refused()).out_of_order;
  }
  EXPECT_GT(out_of_order, 0U);
}

}  // namespace
}  // namespace outbox
