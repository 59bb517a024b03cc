#include "tests/sim/kafka_model.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "tests/support/event_maker.h"

namespace outbox::sim {
namespace {

using core::Admission;
using core::Delivery;
using core::DestinationState;
using core::Outcome;

bool chance(core::Random& random, uint64_t percent) { return random.below(100) < percent; }

}  // namespace

KafkaModel::KafkaModel(Weather weather, const std::vector<Taken>& taken, support::Witness& witness,
                       KafkaCoverage& coverage, support::FakeLetters* letters)
    : weather_(weather), taken_(taken), witness_(witness), coverage_(coverage), letters_(letters) {
  partitions_.resize(weather.partitions);
}

// ---- the pipeline's side

const core::Destination& KafkaModel::destination(std::string_view name) {
  const auto found = topics_.find(name);
  if (found != topics_.end()) return found->second;
  core::Destination& topic = topics_[std::string(name)];
  topic.name = name;
  topic.id = static_cast<uint32_t>(topics_.size() - 1);
  unknown_.push_back(&topic);
  late_ = !late_;
  if (weather_.facts_late_chance == 0 || !late_) learn_facts();
  return topic;
}

void KafkaModel::learn_facts() {
  for (core::Destination* topic : unknown_) {
    topic->state =
        missing_.contains(topic->name) ? DestinationState::missing : DestinationState::usable;
  }
  if (!unknown_.empty()) ++generation_, news_ = true;
  unknown_.clear();
}

KafkaModel::Partition& KafkaModel::partition_of(const Delivery& delivery) {
  const core::Event& event = *delivery.event;
  const uint64_t topic = delivery.destination != nullptr ? delivery.destination->id : 0;
  const uint64_t spread = event.aggregate_id
                              ? std::hash<std::string_view>()(*event.aggregate_id) + topic
                              : support::number_of(event.id);
  return partitions_[spread % partitions_.size()];
}

Taken KafkaModel::taken(const Delivery& delivery) const {
  if (delivery.purpose != core::Purpose::deliver) return Taken::well;
  const uint64_t number = support::number_of(delivery.event->id);
  return number < taken_.size() ? taken_[number] : Taken::well;
}

Admission KafkaModel::admission_of(const Delivery& delivery) {
  if (state_ == State::fenced || outside_ >= weather_.outside_max) return Admission::full;
  if (delivery.purpose == core::Purpose::deliver &&
      delivery.destination->state == DestinationState::unknown) {
    if (weather_.facts_in_submit && ++waits_ % 3 == 0) learn_facts();
    return Admission::wait;
  }
  const Partition& partition = partition_of(delivery);
  const bool occupied = !partition.queue.empty() || !partition.in_flight.empty();
  if (weather_.seeding && !partition.seeded && occupied) return Admission::wait;
  return Admission::admitted;
}

Admission KafkaModel::submit(const Delivery& delivery, core::Now) {
  const Admission admission = admission_of(delivery);
  witness_.submitted(delivery, admission);
  if (admission == Admission::wait) ++coverage_.waits;
  if (admission == Admission::full) ++coverage_.fulls;
  if (admission != Admission::admitted) return admission;
  ++outside_;
  if (taken(delivery) == Taken::refused_by_client) {
    ++coverage_.refused_alone;
    witness_.refused(delivery);
    complete(delivery, Outcome::reject, "MSG_SIZE_TOO_LARGE");
  } else {
    partition_of(delivery).queue.push_back(delivery);
  }
  return admission;
}

void KafkaModel::poll(std::vector<core::Completion>& completions, core::Now) {
  outside_ -= completions_.size();
  for (core::Completion& completion : completions_) completions.push_back(std::move(completion));
  completions_.clear();
  news_ = false;
}

void KafkaModel::make_topic(const std::string& name) {
  missing_.erase(name);
  if (const auto found = topics_.find(name); found != topics_.end()) {
    found->second.state = DestinationState::usable;
  }
}

// ---- the broker's side

bool KafkaModel::busy() const {
  if (!unknown_.empty() || state_ == State::fenced) return true;
  return std::any_of(partitions_.begin(), partitions_.end(), [](const Partition& partition) {
    return !partition.queue.empty() || !partition.in_flight.empty();
  });
}

void KafkaModel::act(core::Random& random) {
  if (!unknown_.empty() && !chance(random, weather_.facts_late_chance)) return learn_facts();
  Partition& partition = partitions_[random.below(partitions_.size())];
  if (state_ == State::working) return work(partition, random);
  drain(partition, random);
  const bool drained = std::all_of(
      partitions_.begin(), partitions_.end(),
      [](const Partition& each) { return each.queue.empty() && each.in_flight.empty(); });
  if (drained && outside_ == 0) rebuild();
}

void KafkaModel::work(Partition& partition, core::Random& random) {
  if (chance(random, weather_.failure_chance) && !partition.in_flight.empty()) {
    return fail(partition, random);
  }
  const uint64_t what = random.below(3);
  if (what == 0) return send(partition, random);
  if (what == 1) return acknowledge(partition);
  for (size_t at = 0; at < partition.in_flight.size(); ++at) {
    if (!partition.in_flight[at].landed) return serve(partition, at);
  }
}

void KafkaModel::send(Partition& partition, core::Random& random) {
  if (partition.queue.empty() || partition.in_flight.size() >= weather_.in_flight_max) return;
  const size_t most = std::min<size_t>(
      {1 + random.below(weather_.batch_max), partition.batch_limit, partition.queue.size()});
  Batch batch;
  for (size_t i = 0; i < most; ++i) {
    batch.deliveries.push_back(partition.queue.front());
    partition.queue.pop_front();
  }
  ++coverage_.batches;
  partition.in_flight.push_back(std::move(batch));
}

// Everything before it in the partition has landed.
void KafkaModel::serve(Partition& partition, size_t at) {
  Batch& batch = partition.in_flight[at];
  const bool spoiled =
      std::any_of(batch.deliveries.begin(), batch.deliveries.end(),
                  [&](const Delivery& each) { return taken(each) == Taken::refused_by_broker; });
  if (!spoiled) return land(batch);
  // What landed before it is acknowledged or not, as drain() decides; what is behind it never
  // lands.
  Batch refused = std::move(batch);
  partition.in_flight.erase(partition.in_flight.begin() + static_cast<ptrdiff_t>(at));
  refuse(partition, std::move(refused));
}

void KafkaModel::refuse(Partition& partition, Batch batch) {
  state_ = State::fenced;
  partition.failed = true;
  ++coverage_.fences;
  const size_t size = batch.deliveries.size();
  for (const Delivery& delivery : batch.deliveries) {
    const bool bad = taken(delivery) == Taken::refused_by_broker;
    if (bad && (size == 1 || weather_.names_bad_record)) {
      ++coverage_.refused;
      witness_.refused(delivery);
      complete(delivery, Outcome::reject, "INVALID_RECORD");
    } else {
      complete(delivery, Outcome::returned, nullptr);
    }
  }
  const bool found = size == 1 || weather_.names_bad_record;
  partition.batch_limit = found ? SIZE_MAX : size / 2;
}

void KafkaModel::acknowledge(Partition& partition) {
  if (partition.in_flight.empty() || !partition.in_flight.front().landed) return;
  const Batch batch = std::move(partition.in_flight.front());
  partition.in_flight.pop_front();
  complete_all(batch, Outcome::durable, nullptr);
  if (!partition.seeded) {
    partition.seeded = true;
    ++generation_;
    news_ = true;
  }
}

// The connection goes. What was sent landed up to some batch; nobody hears of it. Which of the
// reports say so (retry) and which say that nothing was sent (returned) is up to the library, but a
// batch that landed is never reported as returned.
void KafkaModel::fail(Partition& partition, core::Random& random) {
  state_ = State::fenced;
  ++coverage_.fences;
  const size_t landed = random.below(partition.in_flight.size() + 1);
  size_t at = 0;
  for (; !partition.in_flight.empty(); ++at) {
    Batch batch = std::move(partition.in_flight.front());
    partition.in_flight.pop_front();
    const bool spoiled =
        std::any_of(batch.deliveries.begin(), batch.deliveries.end(),
                    [&](const Delivery& each) { return taken(each) == Taken::refused_by_broker; });
    if (!batch.landed && at < landed && !spoiled) land(batch);
    if (batch.landed) {
      ++coverage_.retried_though_landed;
      complete_all(batch, Outcome::retry, "NETWORK_EXCEPTION");
      continue;
    }
    // Nothing behind a batch that did not land may land.
    complete_all(batch, chance(random, 50) ? Outcome::retry : Outcome::returned, "TIMED_OUT");
    for (Batch& behind : partition.in_flight) complete_all(behind, Outcome::returned, nullptr);
    partition.in_flight.clear();
  }
  partition.failed = true;
}

// Fenced: one partition at a time reports all it holds. Another partition's batch in flight may
// still land and be acknowledged; what is queued is purged.
void KafkaModel::drain(Partition& partition, core::Random& random) {
  for (; !partition.in_flight.empty(); partition.in_flight.pop_front()) {
    Batch& batch = partition.in_flight.front();
    const bool clean =
        std::none_of(batch.deliveries.begin(), batch.deliveries.end(),
                     [&](const Delivery& each) { return taken(each) == Taken::refused_by_broker; });
    if (!batch.landed && !partition.failed && clean && chance(random, 50)) land(batch);
    if (batch.landed) {
      complete_all(batch, Outcome::durable, nullptr);
    } else {
      partition.failed = true;
      complete_all(batch, Outcome::returned, nullptr);
    }
  }
  for (; !partition.queue.empty(); partition.queue.pop_front()) {
    complete(partition.queue.front(), Outcome::returned, nullptr);
  }
}

void KafkaModel::rebuild() {
  state_ = State::working;
  for (Partition& partition : partitions_) partition.seeded = partition.failed = false;
  ++generation_;
  news_ = true;
}

void KafkaModel::calm_down() {
  weather_.failure_chance = 0;
  weather_.facts_late_chance = 0;
}

void KafkaModel::die(core::Random& random) {
  for (Partition& partition : partitions_) {
    if (partition.failed) continue;
    for (Batch& batch : partition.in_flight) {
      if (batch.landed) continue;
      const bool clean = std::none_of(
          batch.deliveries.begin(), batch.deliveries.end(),
          [&](const Delivery& each) { return taken(each) == Taken::refused_by_broker; });
      if (!clean || chance(random, 50)) break;
      land(batch);
    }
  }
}

void KafkaModel::land(Batch& batch) {
  batch.landed = true;
  for (const Delivery& delivery : batch.deliveries) {
    witness_.landed(delivery);
    if (letters_ != nullptr && letters_->write(delivery)) known_before_.insert(delivery.ticket);
  }
}

void KafkaModel::complete(const Delivery& delivery, Outcome outcome, const char* code) {
  core::Completion completion;
  completion.ticket = delivery.ticket;
  completion.outcome = outcome;
  if (outcome == Outcome::durable) {
    completion.known_before = known_before_.erase(delivery.ticket) > 0;
  }
  if (code != nullptr) completion.cause = std::make_unique<core::Cause>(core::Cause{code, ""});
  completions_.push_back(std::move(completion));
  if (outcome == Outcome::returned) ++coverage_.returned;
  witness_.completed(delivery, outcome);
}

void KafkaModel::complete_all(const Batch& batch, Outcome outcome, const char* code) {
  for (const Delivery& delivery : batch.deliveries) complete(delivery, outcome, code);
}

}  // namespace outbox::sim
