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
#include "tests/support/fake_checkpoint.h"

namespace outbox {
namespace {

using support::read_topic;
using support::real_now;

constexpr uint32_t kPartitions = 6;
constexpr size_t kKeys = 1'000;
constexpr size_t kRecordBytesMax = 100'000;
constexpr int64_t kDayUs = 86'400'000'000;

enum class Flaw { none, too_large, bad_timestamp };

size_t event_count() {
  const char* text = std::getenv("OUTBOX_REFUSAL_EVENTS");
  return text == nullptr ? 200'000 : std::strtoul(text, nullptr, 10);
}

std::string key_of(size_t number) { return "key-" + std::to_string(number % kKeys); }

// Three flaws a partition: in its first batch (the very first record of odd partitions, so that the
// seed itself is refused), its middle and its last.
std::map<size_t, Flaw> choose_flaws(size_t events) {
  std::vector<std::vector<size_t>> by_partition(kPartitions);
  for (size_t number = 0; number < events; ++number) {
    by_partition[kafka::partition_of_key(key_of(number), kPartitions)].push_back(number);
  }
  std::map<size_t, Flaw> flaws;
  for (uint32_t partition = 0; partition < kPartitions; ++partition) {
    const std::vector<size_t>& numbers = by_partition[partition];
    const size_t first = partition % 2 == 1 ? 0 : 20;
    for (const size_t at : {first, numbers.size() / 2, numbers.size() - 3}) {
      flaws[numbers[at]] = flaws.size() % 2 == 0 ? Flaw::too_large : Flaw::bad_timestamp;
    }
  }
  return flaws;
}

// Hands out `events` numbered events; the payload begins with the number.
class NumberedSource : public core::Source {
 public:
  NumberedSource(size_t events, std::map<size_t, Flaw> flaws)
      : events_(events), flaws_(std::move(flaws)), big_(kRecordBytesMax + 50'000, 'b') {}

  core::Result<void> poll(core::Batch& batch, std::span<const core::Credit> credit,
                          core::Now now) override {
    core::Credit left = credit[0];
    while (next_ < events_ && left.events > 0 && left.bytes > 0) {
      batch.push_back(make(next_++, now));
      --left.events;
      left.bytes -= std::min(left.bytes, batch.back().event.bytes());
    }
    chunk_.reset();
    return {};
  }
  void confirm(const core::Settled& settled) override { confirmed_ = settled.low.major; }
  size_t stream_count() const override { return 1; }
  core::PositionForm position_form() const override { return core::PositionForm::number; }
  core::Interest interest(core::Instant) const override { return {}; }
  core::Health health() const override { return {core::HealthState::ok, ""}; }
  core::ChunkPool& pool() { return pool_; }

 private:
  core::Item make(size_t number, core::Now now) {
    const auto flaw = flaws_.find(number);
    std::string payload = std::to_string(number) + ":" + std::string(80, 'p');
    if (flaw != flaws_.end() && flaw->second == Flaw::too_large) payload += big_;
    const std::string key = key_of(number);
    const size_t bytes = payload.size() + key.size();
    if (!chunk_ || chunk_->room() < bytes) {
      chunk_ = bytes > core::kChunkBytes ? pool_.single(bytes) : pool_.pooled();
    }
    core::Item item;
    item.event.id.bytes[15] = static_cast<unsigned char>(number);
    item.event.aggregate_type = "order";
    item.event.event_type = "placed";
    item.event.aggregate_id = chunk_->append(key);
    item.event.payload = chunk_->append(payload);
    item.event.commit_time = now.wall;
    if (flaw != flaws_.end() && flaw->second == Flaw::bad_timestamp) {
      item.event.commit_time.us += kDayUs;
    }
    item.event.position = core::Position{number + 1, 0};
    item.chunk = chunk_;
    return item;
  }

  const size_t events_;
  const std::map<size_t, Flaw> flaws_;
  const std::string big_;
  size_t next_ = 0;
  uint64_t confirmed_ = 0;
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

Verdict judge(const std::string& topic, const std::string& dead_letter_topic, size_t events,
              const std::map<size_t, Flaw>& flaws) {
  Verdict verdict;
  std::vector<bool> seen(events);
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
  for (const support::ReadRecord& record : read_topic(dead_letter_topic)) {
    const size_t number = number_of(record);
    if (seen[number]) continue;
    seen[number] = true;
    ++verdict.dead_letters;
    EXPECT_TRUE(flaws.contains(number))
        << "innocent record " << number
        << " is a dead letter: " << record.header("outbox.error.code");
  }
  for (size_t number = 0; number < events; ++number) verdict.lost += seen[number] ? 0 : 1;
  return verdict;
}

enum class Producer { ours, default_settings };

Verdict run(Producer producer) {
  const size_t events = event_count();
  const std::map<size_t, Flaw> flaws = choose_flaws(events);
  const std::string topic =
      support::make_topic(kPartitions, {{"max.message.bytes", std::to_string(kRecordBytesMax)}});
  const std::string pipeline_name = support::unique_name("refusals");
  auto kafka = kafka::Kafka::make(support::client_options());
  EXPECT_TRUE(kafka.ok());

  support::ProgressStore store(1);
  NumberedSource source(events, flaws);
  support::FakeCheckpoint checkpoint(store);
  auto journal = kafka->journal(pipeline_name);
  std::unique_ptr<core::Sink> sink = kafka->sink();
  if (producer == Producer::default_settings) {
    sink = std::make_unique<support::DefaultProducerSink>(support::kafka_bootstrap(), kPartitions);
  }
  flow::Router router(
      {flow::Route{"all", std::nullopt, std::nullopt, topic, flow::OnFailure::dead_letter}}, *sink,
      flow::PreChecks::off);
  auto pipeline = std::make_unique<flow::Pipeline>(flow::PipelineOptions{}, source, router, *sink,
                                                   *journal, checkpoint);
  const auto started = std::chrono::steady_clock::now();
  support::until(std::chrono::seconds(100), [&] {
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
    return pipeline->counters().taken == events && pipeline->open_cells() == 0;
  });
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  if (const auto* ours = dynamic_cast<kafka::KafkaSink*>(sink.get())) {
    std::printf("%zu rebuilds in %.2f s\n", static_cast<size_t>(ours->rebuilds()), took.count());
  }
  sink.reset();
  journal.reset();
  pipeline.reset();
  Verdict verdict = judge(topic, topic + ".dead-letter", events, flaws);
  verdict.events_per_second = static_cast<double>(events) / took.count();
  return verdict;
}

TEST(RefusedBatches, KeepTheOrderOfEveryKeyAndLoseNothing_Invariants1And3) {
  const Verdict verdict = run(Producer::ours);
  RecordProperty("events_per_second", static_cast<int>(verdict.events_per_second));
  std::printf("%.0f events/s, %zu duplicates\n", verdict.events_per_second, verdict.duplicates);
  EXPECT_EQ(verdict.out_of_order, 0U);
  EXPECT_EQ(verdict.lost, 0U);
  EXPECT_EQ(verdict.dead_letters, 18U);
  EXPECT_EQ(verdict.duplicates, 0U);
}

TEST(RefusedBatches, TheDefaultProducerIsCaughtByThisVeryTest) {
  const Verdict verdict = run(Producer::default_settings);
  std::printf("%zu out of order\n", verdict.out_of_order);
  EXPECT_GT(verdict.out_of_order, 0U);
}

}  // namespace
}  // namespace outbox
