#pragma once
// KafkaModel: a fail_stop sink as the Kafka sink must behave, with a broker behind it: partitions,
// batches, several in flight, seeding, a fence and a rebuilt producer after any failure, a bad
// record that spoils its batch and is then looked for by halves. It moves only when act() is
// called, so the seed decides what happens between any two steps of the pipeline.
//
// What has landed is told to the witness and survives; the rest dies with the object.

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "relay/core/backoff.h"
#include "relay/core/sink.h"
#include "tests/support/fake_letters.h"
#include "tests/support/witness.h"

namespace outbox::sim {

/// What may happen, drawn once a run. Chances are per cent of an act().
struct Weather {
  uint64_t partitions = 3;
  uint64_t batch_max = 4;
  uint64_t in_flight_max = 5;
  uint64_t outside_max = 64;
  uint64_t failure_chance = 0;     // the connection goes, with or without what was sent
  uint64_t facts_late_chance = 0;  // a new topic is unknown at first
  bool facts_in_submit = false;    // and may become known between two submits
  bool seeding = true;             // one batch alone on a partition that is new to the producer
  bool names_bad_record = false;   // the broker says which record spoiled the batch
};

/// How an event is taken; the model of what the broker and the client library refuse.
enum class Taken : uint8_t { well, refused_by_broker, refused_by_client };

/// What a run has seen, so that a run that saw nothing does not pass for a proof.
struct KafkaCoverage {
  uint64_t batches = 0;
  uint64_t fences = 0;
  uint64_t refused = 0;
  uint64_t refused_alone = 0;
  uint64_t retried_though_landed = 0;
  uint64_t returned = 0;
  uint64_t waits = 0;
  uint64_t fulls = 0;
};

class KafkaModel : public core::Sink {
 public:
  /// `taken` is indexed by the number of the event's id and outlives the model, as the rest does.
  /// As a journal it writes what lands to `letters`.
  KafkaModel(Weather weather, const std::vector<Taken>& taken, support::Witness& witness,
             KafkaCoverage& coverage, support::FakeLetters* letters = nullptr);

  /// One thing happens on the broker's side, if there is anything to do.
  void act(core::Random& random);
  /// From now on nothing fails any more.
  void calm_down();
  /// The process dies: of what was sent and not yet served, a part may still land.
  void die(core::Random& random);

  /// act() has something to do.
  bool busy() const;
  /// The pipeline's loop would wake up.
  bool ready() const { return !completions_.empty() || news_; }
  /// Topics that do not exist, whoever asks.
  void missing_topic(const std::string& name) { missing_.insert(name); }
  /// Somebody made it.
  void make_topic(const std::string& name);

  core::Ordering ordering() const override { return core::Ordering::fail_stop; }
  const core::Destination& destination(std::string_view name) override;
  core::Admission submit(const core::Delivery& delivery, core::Now now) override;
  void poll(std::vector<core::Completion>& completions, core::Now now) override;
  uint64_t wait_generation() const override { return generation_; }
  core::Interest interest(core::Instant) const override { return {}; }
  core::Health health() const override { return {core::HealthState::ok, ""}; }

 private:
  enum class State : uint8_t { working, fenced };
  struct Batch {
    std::vector<core::Delivery> deliveries;
    bool landed = false;
  };
  struct Partition {
    std::deque<core::Delivery> queue;
    std::deque<Batch> in_flight;
    size_t batch_limit = SIZE_MAX;  // halved while a bad record is looked for
    bool seeded = false;
    bool failed = false;  // since the fence: nothing more may become durable
  };

  core::Admission admission_of(const core::Delivery& delivery);
  Partition& partition_of(const core::Delivery& delivery);
  Taken taken(const core::Delivery& delivery) const;
  void learn_facts();
  void work(Partition& partition, core::Random& random);
  void send(Partition& partition, core::Random& random);
  void serve(Partition& partition, size_t at);
  void refuse(Partition& partition, Batch batch);
  void acknowledge(Partition& partition);
  void fail(Partition& partition, core::Random& random);
  void drain(Partition& partition, core::Random& random);
  void rebuild();
  void land(Batch& batch);
  void complete(const core::Delivery& delivery, core::Outcome outcome, const char* code);
  void complete_all(const Batch& batch, core::Outcome outcome, const char* code);

  Weather weather_;
  const std::vector<Taken>& taken_;
  support::Witness& witness_;
  KafkaCoverage& coverage_;
  support::FakeLetters* letters_;
  std::set<core::Ticket> known_before_;  // landed, and not completed yet
  std::map<std::string, core::Destination, std::less<>> topics_;
  std::set<std::string> missing_;
  std::vector<core::Destination*> unknown_;
  std::vector<Partition> partitions_;
  std::vector<core::Completion> completions_;
  State state_ = State::working;
  size_t outside_ = 0;  // admitted, and not yet taken by poll()
  uint64_t generation_ = 1;
  bool news_ = false;
  bool late_ = false;  // alternates which new topic's facts are late
  uint64_t waits_ = 0;
};

}  // namespace outbox::sim
