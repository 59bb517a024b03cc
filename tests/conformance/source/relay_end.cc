#include "tests/conformance/source/relay_end.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <ctime>

namespace outbox::conformance {
namespace {

Seen seen(const core::Item& item) {
  Seen copy;
  copy.kind = item.kind;
  copy.position = item.event.position;
  if (item.kind == core::ItemKind::boundary) return copy;
  const core::Event& event = item.event;
  copy.type = event.event_type;
  if (event.aggregate_id) copy.key = std::string(*event.aggregate_id);
  if (event.payload) copy.payload = std::string(*event.payload);
  for (const core::Header& header : event.headers) {
    copy.headers.emplace_back(
        header.name, header.value ? std::optional(std::string(*header.value)) : std::nullopt);
  }
  copy.id = core::to_string(event.id);
  copy.seq = event.seq;
  copy.commit_time_us = event.commit_time.us;
  return copy;
}

postgres::PostgresOptions options_for(
    const Database& database, const std::function<void(postgres::PostgresOptions&)>& change) {
  postgres::PostgresOptions options;
  options.url = database.url();
  options.pipeline = "orders";
  options.slot = database.unique("slot");
  options.publication = "orders";
  options.heartbeat_interval = std::chrono::milliseconds(200);
  change(options);
  return options;
}

}  // namespace

RelayEnd::RelayEnd(const Database& database,
                   const std::function<void(postgres::PostgresOptions&)>& change)
    : options_(options_for(database, change)),
      ends_(postgres::make_postgres_source(
          options_, {postgres::LetterTable::optional, {postgres::RouteLetters{}}}, pool_)) {}

RelayEnd::~RelayEnd() { batch_.clear(); }

core::Now RelayEnd::now() {
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  return {std::chrono::steady_clock::now(),
          {int64_t{wall.tv_sec} * 1'000'000 + wall.tv_nsec / 1000}};
}

void RelayEnd::step() {
  const core::Now time = now();
  const core::Credit room{credit ? credit_events : 0, credit ? credit_bytes : 0};
  const auto polled = ends_.wal->poll(batch_, std::span(&room, 1), time);
  take_items();
  if (!polled) return fail(polled.error());
  const auto saved = ends_.progress->poll(time);
  if (!saved) return fail(saved.error());
  if (*saved) {
    saved_ = **saved;
    ends_.wal->confirm({core::StreamId{0}, saved_.boundary});
  }
  if (settle_) settle_more();
}

void RelayEnd::take_items() {
  for (const core::Item& item : batch_) {
    items_.push_back(seen(item));
    if (item.kind == core::ItemKind::event) ++event_count_;
  }
  batch_.clear();
  for (auto& notice : ends_.wal->take_notices()) notices_.push_back(std::move(notice));
}

void RelayEnd::settle_more() {
  for (; items_settled_ < items_.size(); ++items_settled_) {
    const Seen& item = items_[items_settled_];
    core::Position& mark = item.kind == core::ItemKind::event ? wanted_.settled : wanted_.boundary;
    mark = std::max(mark, item.position);
  }
  if (ends_.progress->idle() && wanted_.boundary > saved_.boundary) {
    ends_.progress->save(wanted_, ends_.wal->lease().epoch);
  }
}

bool RelayEnd::settle(core::Position boundary, core::Position settled) {
  const core::Progress progress{core::StreamId{0}, boundary, settled};
  if (!run_until([&] { return ends_.progress->idle(); })) return false;
  ends_.progress->save(progress, ends_.wal->lease().epoch);
  return run_until([&] { return saved_ == progress; });
}

void RelayEnd::fail(const core::Error& error) {
  if (!error_) error_ = error;
}

void RelayEnd::sleep_until_due(core::Instant limit) {
  const core::Instant time = now().instant;
  core::Instant wake = limit;
  std::vector<pollfd> fds;
  for (const core::Interest& interest :
       {ends_.wal->interest(time), ends_.progress->interest(time)}) {
    wake = std::min(wake, interest.wake_at);
    if (interest.fd < 0) continue;
    if (interest.not_before > time) {
      wake = std::min(wake, interest.not_before);
      continue;
    }
    fds.push_back(
        {interest.fd,
         static_cast<short>((interest.readable ? POLLIN : 0) | (interest.writable ? POLLOUT : 0)),
         0});
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(wake - time).count();
  ::poll(fds.data(), fds.size(), static_cast<int>(std::clamp<int64_t>(left, 0, 1000)));
}

bool RelayEnd::run_until(const std::function<bool()>& done, core::Duration limit) {
  const core::Instant deadline = now().instant + limit;
  while (!done()) {
    if (error_ || now().instant >= deadline) return false;
    step();
    if (!done() && !error_) sleep_until_due(deadline);
  }
  return true;
}

void RelayEnd::run_for(core::Duration time) {
  run_until([] { return false; }, time);
}

bool RelayEnd::connect() {
  return run_until([this] { return streaming(); });
}

bool RelayEnd::run_until_events(size_t count) {
  return run_until([&] { return event_count_ >= count; });
}

std::vector<Seen> RelayEnd::events() const {
  std::vector<Seen> events;
  std::copy_if(items_.begin(), items_.end(), std::back_inserter(events),
               [](const Seen& item) { return item.kind == core::ItemKind::event; });
  return events;
}

std::vector<Seen> RelayEnd::boundaries() const {
  std::vector<Seen> boundaries;
  std::copy_if(items_.begin(), items_.end(), std::back_inserter(boundaries),
               [](const Seen& item) { return item.kind == core::ItemKind::boundary; });
  return boundaries;
}

std::vector<std::string> RelayEnd::types() const {
  std::vector<std::string> types;
  for (const Seen& item : items_) {
    if (item.kind == core::ItemKind::event) types.push_back(item.type);
  }
  return types;
}

std::vector<std::string> RelayEnd::notice_codes() const {
  std::vector<std::string> codes;
  for (const postgres::Finding& notice : notices_) codes.push_back(notice.code);
  return codes;
}

std::string RelayEnd::notice(const std::string& code) const {
  for (const postgres::Finding& notice : notices_) {
    if (notice.code == code) return notice.what;
  }
  return "";
}

}  // namespace outbox::conformance
