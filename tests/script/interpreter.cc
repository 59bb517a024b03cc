#include "tests/script/interpreter.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace outbox::script {
namespace {

using std::chrono::milliseconds;
using support::EventSpec;
using support::FakeCheckpoint;
using support::FakeSink;
using support::Fate;

[[noreturn]] void no_command(const std::string& what) { throw std::runtime_error(what); }

uint64_t number(const std::string& text) {
  size_t used = 0;
  const uint64_t value = std::stoull(text, &used);
  if (used != text.size()) no_command("no number: " + text);
  return value;
}

// "100ms", "2s"
core::Duration duration(const std::string& text) {
  size_t used = 0;
  const int64_t value = std::stoll(text, &used);
  const std::string unit = text.substr(used);
  if (unit == "ms") return milliseconds(value);
  if (unit == "s") return std::chrono::seconds(value);
  no_command("no duration: " + text);
}

// A type that no topic can be named after: such an event is refused by the router.
constexpr std::string_view kUnroutable = "?";

}  // namespace

Interpreter::Interpreter(const Script& script) : script_(script) { make_world({}); }

std::string Interpreter::run(const std::string& command) {
  dispatch(words_of(command));
  if (world_->judge.violated()) trace_.line("VIOLATES " + world_->judge.violation());
  return trace_.take();
}

void Interpreter::dispatch(const Words& words) {
  const std::string& verb = words.at(0);
  if (verb == "options") return make_world(words);
  if (verb == "commit") return commit(words);
  if (verb == "keepalive") return world_->keepalive(number(words.at(1)));
  if (verb == "step") return step(words.size() > 1 ? number(words[1]) : 1);
  if (verb == "run") return world_->run(), told(std::nullopt);
  if (verb == "wait") return world_->clock.advance(duration(words.at(1)));
  if (verb == "sink") return on_sink(world_->sink(), words);
  if (verb == "journal") return on_sink(world_->journal(), words);
  if (verb == "checkpoint") return on_checkpoint(words);
  if (verb == "lease" && words.at(1) == "lost") return world_->lose_lease();
  if (verb == "lease" && words.at(1) == "back") return world_->regain_lease();
  if (verb == "overtake") return static_cast<void>(++world_->store.epoch);
  if (verb == "replay") return world_->replay().replay();
  if (verb == "mend") return mend();
  if (verb == "stop-intake") return world_->pipeline().stop_intake();
  if (verb == "crash") {
    return crash(words.size() > 1 ? InFlight::everything_lands : InFlight::nothing_lands);
  }
  if (verb == "start") return start();
  if (verb == "show") return show();
  no_command("no command: " + verb);
}

void Interpreter::make_world(const Words& words) {
  support::WorldOptions options;
  options.pipeline.window_cells = 16;
  options.witness = &trace_;
  options.started = false;
  Fate fate_if_refused = Fate::dead_letter;
  for (size_t at = 1; at < words.size(); ++at) {
    const size_t equals = words[at].find('=');
    const std::string name = words[at].substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : words[at].substr(equals + 1);
    if (name == "cells") {
      options.pipeline.window_cells = number(value);
    } else if (name == "bytes") {
      options.pipeline.window_bytes = number(value);
    } else if (name == "streams") {
      options.streams = number(value);
    } else if (name == "brake") {
      const size_t slash = value.find('/');
      options.pipeline.brake = {number(value.substr(0, slash)), number(value.substr(slash + 1))};
    } else if (name == "on-failure" && value == "skip") {
      fate_if_refused = Fate::skip;
      options.routes = {flow::default_route()};
      options.routes[0].on_failure = flow::OnFailure::skip;
    } else if (name == "on-failure" && (value == "hold" || value == "park")) {
      fate_if_refused = Fate::keep;
      options.replays = true;
      options.routes = {flow::default_route()};
      options.routes[0].on_failure =
          value == "hold" ? flow::OnFailure::hold : flow::OnFailure::park;
    } else {
      no_command("no option: " + words[at]);
    }
  }
  const uint64_t steps_max = world_ ? world_->steps_max() : UINT64_MAX;
  world_ = std::make_unique<support::World>(options);
  world_->steps_at_most(steps_max);
  world_->judge.fate_if_refused(fate_if_refused);
  start();
  trace_.take();
}

// ---- what services commit: "commit 100 a@x b" or, on stream 1, "commit 1:100 a@x b"

void Interpreter::commit(const Words& words) {
  const std::string& where = words.at(1);
  const size_t colon = where.find(':');
  const uint64_t stream = colon == std::string::npos ? 0 : number(where.substr(0, colon));
  const uint64_t lsn = number(colon == std::string::npos ? where : where.substr(colon + 1));
  std::vector<EventSpec> events;
  std::vector<Fate> fates;
  for (size_t at = 2; at < words.size(); ++at) events.push_back(event_of(words[at]));
  world_->commit(
      lsn, std::move(events),
      [this](const EventSpec& event) {
        return event.aggregate_type == kUnroutable ? world_->judge.fate_if_refused()
                                                   : Fate::deliver;
      },
      static_cast<uint16_t>(stream));
}

// "name", "name@key", "name@key/type"
EventSpec Interpreter::event_of(const std::string& word) {
  const size_t slash = word.find('/');
  const std::string named = word.substr(0, slash);
  const size_t at = named.find('@');
  EventSpec event;
  event.number = trace_.number_of(named.substr(0, at));
  if (at != std::string::npos) event.key = named.substr(at + 1);
  if (slash != std::string::npos) event.aggregate_type = word.substr(slash + 1);
  event.payload = "payload of " + named.substr(0, at);
  return event;
}

// ---- the process

void Interpreter::step(uint64_t count) {
  for (uint64_t done = 0; done < count && !world_->steps_used_up(); ++done) {
    if (world_->error) no_command("the pipeline has stopped");
    told(world_->step());
  }
}

void Interpreter::told(const std::optional<flow::Pipeline::Next>& next) {
  if (world_->error) return trace_.line("stopped: " + core::to_string(*world_->error));
  if (next && next->did_work) return trace_.line("works on");
  if (world_->steps_used_up()) return;
  const core::Instant wake = next ? next->wake_at : world_->wake_at();
  if (wake == core::kNever) return trace_.line("sleeps");
  const auto left = std::chrono::ceil<milliseconds>(wake - world_->clock.now().instant).count();
  trace_.line("sleeps for " + std::to_string(left) + " ms");
}

void Interpreter::crash(InFlight in_flight) {
  if (in_flight == InFlight::everything_lands) {
    for (const uint64_t refused : refused_) world_->sink().poison(refused);
    world_->sink().land_in_flight();
    world_->journal().land_in_flight();
  }
  world_->crash();
}

void Interpreter::start() {
  world_->poisoned = refused_;
  world_->start();
  world_->sink().cork();
  world_->journal().cork();
  world_->checkpoint().saves(FakeCheckpoint::Saves::held);
  const core::Progress& row = world_->store.rows[0];
  trace_.line("starts with epoch " + std::to_string(world_->store.epoch) + ", slot " +
              text_of(world_->upstreams[0].confirmed()) + ", saved boundary " +
              text_of(row.boundary) + ", settled " + text_of(row.settled));
}

std::string Interpreter::crash_after(uint64_t steps, InFlight in_flight) {
  world_->steps_at_most(steps);
  for (const Block& block : script_.blocks) {
    for (const std::string& command : block.commands) {
      if (!world_->steps_used_up()) run(command);
    }
  }
  world_->steps_at_most(UINT64_MAX);
  if (world_->running()) crash(in_flight);
  world_->poisoned = refused_;
  world_->regain_lease();
  world_->take_the_brake_off();
  world_->start();
  world_->run_for(std::chrono::minutes(1));
  if (world_->error) return "the next process stopped: " + core::to_string(*world_->error);
  world_->judge.at_rest();
  if (!world_->replays()) return world_->judge.violation();
  mend();
  world_->run_for(std::chrono::minutes(1));
  world_->judge.at_rest();
  if (world_->judge.violated()) return world_->judge.violation();
  return world_->letters.open() == 0 ? "" : "letters are open though all is mended";
}

void Interpreter::mend() {
  refused_.clear();
  world_->mend();
}

void Interpreter::mend(uint64_t number) {
  std::erase(refused_, number);
  world_->judge.mended(number);
}

// ---- what the world answers

void Interpreter::on_sink(FakeSink& sink, const Words& words) {
  const std::string& how = words.at(1);
  if (how == "hold") return sink.hold_key(words.at(2));
  if (how == "free") return sink.free_key(words.at(2));
  if (how == "limit") return sink.limit(number(words.at(2)));
  complete(sink, how, words);
}

void Interpreter::complete(FakeSink& sink, const std::string& how, const Words& words) {
  const std::string& name = words.at(2);
  const core::Cause cause{words.size() > 3 ? words[3] : "", "as the script says"};
  if (how == "acks" && name == "all") return sink.acknowledge_all();
  if (how == "returns" && name == "all") return sink.give_back_all();
  if (how == "acks" || how == "returns") {
    for (size_t at = 2; at < words.size(); ++at) {
      const core::Ticket ticket = ticket_of(sink, words[at]);
      if (how == "acks" && &sink == &world_->sink()) mend(trace_.number_of(words[at]));
      how == "acks" ? sink.acknowledge(ticket) : sink.give_back(ticket);
    }
    return;
  }
  const core::Ticket ticket = ticket_of(sink, name);
  if (how == "retries") return sink.fail(ticket, cause);
  if (how == "retries-landed") return sink.fail(ticket, cause, FakeSink::Landed::yes);
  if (how == "loses") return sink.lose(ticket);
  if (how == "breaks") return sink.break_down(ticket, cause);
  if (how != "rejects" && how != "rejects-alone") no_command("no answer of a sink: " + how);
  if (&sink == &world_->sink()) refused_.push_back(trace_.number_of(name));
  sink.refuse(ticket, cause, how == "rejects" ? FakeSink::Fence::yes : FakeSink::Fence::no);
}

core::Ticket Interpreter::ticket_of(const FakeSink& sink, const std::string& name) {
  for (const core::Delivery& delivery : sink.outside()) {
    if (support::number_of(delivery.event->id) == trace_.number_of(name)) return delivery.ticket;
  }
  no_command(name + " is not outside");
}

void Interpreter::on_checkpoint(const Words& words) {
  FakeCheckpoint& checkpoint = world_->checkpoint();
  const std::string& how = words.at(1);
  if (how == "done") return checkpoint.complete();
  if (how == "lost") return checkpoint.disconnect(FakeCheckpoint::Reached::no);
  if (how == "lost-saved") return checkpoint.disconnect(FakeCheckpoint::Reached::yes);
  if (how == "back") return checkpoint.reconnect();
  no_command("no answer of the checkpoint: " + how);
}

void Interpreter::show() {
  const auto list = [&](const char* title, const std::vector<uint64_t>& numbers) {
    std::string text = title;
    for (const uint64_t each : numbers) text += " " + trace_.name_of(each);
    trace_.line(text);
  };
  list("topic:", world_->delivered);
  list("dead letters:", world_->dead_letters);
  if (world_->replays()) show_letters();
  for (size_t stream = 0; stream < world_->upstreams.size(); ++stream) {
    const core::Progress& row = world_->store.rows[stream];
    trace_.line("stream " + std::to_string(stream) + ": slot " +
                text_of(world_->upstreams[stream].confirmed()) + ", saved boundary " +
                text_of(row.boundary) + ", settled " + text_of(row.settled));
  }
  if (!world_->running()) return;
  trace_.line("open: " + std::to_string(world_->pipeline().open_cells()) +
              (world_->pipeline().drained() ? ", drained" : "") +
              (world_->pipeline().brake().engaged() ? ", the brake is on" : ""));
}

void Interpreter::show_letters() {
  std::string text = "open letters:";
  for (const support::FakeLetters::Letter& letter : world_->letters.all()) {
    if (!letter.open) continue;
    text += " " + trace_.name_of(letter.event.number);
    if (!letter.cause.empty()) text += "(" + letter.cause + ")";
  }
  trace_.line(text);
}

}  // namespace outbox::script
