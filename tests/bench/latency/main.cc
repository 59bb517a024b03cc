// bench_latency: sends events at a steady rate and times each until its record is in a consumer.
//
// Senders and consumer are threads of this one process, so that one monotonic clock serves all.
// Events go out at fixed times, whether or not earlier ones came back; a sender that is late says
// so. Prints one line of JSON.

#include <sys/prctl.h>

#include <chrono>
#include <exception>
#include <iostream>
#include <memory>
#include <thread>
#include <vector>

#include "tests/bench/latency/commit_sender.h"
#include "tests/bench/latency/options.h"
#include "tests/bench/latency/record_reader.h"
#include "tests/bench/latency/record_sender.h"
#include "tests/bench/latency/timeline.h"

namespace outbox::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr seconds kArrivalPatience{15};
constexpr milliseconds kLate{1};

std::unique_ptr<Sender> make_sender(const Options& options) {
  if (options.mode == Mode::floor) {
    return std::make_unique<RecordSender>(options.bootstrap, options.topic);
  }
  return std::make_unique<CommitSender>(options.database_url);
}

/// Every `senders`-th event from `first` on, each at its time.
void send_share(const Options& options, size_t first, Clock::time_point start, Sender& sender,
                Timeline& timeline) {
  prctl(PR_SET_TIMERSLACK, 1);  // nanosecond: wake when asked, not up to 50 us later
  for (size_t event = first; event < timeline.events(); event += options.senders) {
    const Clock::time_point due = start + nanoseconds(event * 1'000'000'000 / options.rate);
    std::this_thread::sleep_until(due);
    if (Clock::now() - due > kLate) {
      timeline.sent_late();
    }
    timeline.sent(event, sender.send(event));
  }
}

void send_all(const Options& options, Timeline& timeline) {
  std::vector<std::unique_ptr<Sender>> senders;
  for (size_t i = 0; i < options.senders; ++i) {
    senders.push_back(make_sender(options));
  }
  std::vector<std::exception_ptr> failures(options.senders);
  {
    std::vector<std::jthread> threads;
    const Clock::time_point start = Clock::now() + milliseconds(200);
    for (size_t i = 0; i < options.senders; ++i) {
      threads.emplace_back([&, i] {
        try {
          send_share(options, i, start, *senders[i], timeline);
        } catch (...) {
          failures[i] = std::current_exception();
        }
      });
    }
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) {
      std::rethrow_exception(failure);
    }
  }
}

void run(const Options& options) {
  Timeline timeline(options.rate * (options.warmup_seconds + options.seconds),
                    options.rate * options.warmup_seconds);
  RecordReader reader(options.bootstrap, options.topic);
  std::jthread reading([&](const std::stop_token& stop) { reader.read(timeline, stop); });
  send_all(options, timeline);
  const Clock::time_point deadline = Clock::now() + kArrivalPatience;
  while (timeline.arrivals() < timeline.events() && Clock::now() < deadline) {
    std::this_thread::sleep_until(Clock::now() + milliseconds(10));
  }
  reading.request_stop();
  reading.join();
  timeline.print(std::cout);
}

}  // namespace
}  // namespace outbox::bench

int main(int argc, char** argv) {
  try {
    outbox::bench::run(outbox::bench::parse_options(argc, argv));
    return 0;
  } catch (const std::invalid_argument& error) {
    std::cerr << "bench_latency: " << error.what() << "\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "bench_latency: " << error.what() << "\n";
    return 1;
  }
}
