// mock_kafka: librdkafka's mock cluster in a process of its own, for the demo where no broker can
// be had and for tests that want one without a JVM. It keeps records in memory and forgets all when
// it ends. Topics named here have the partitions named; others come with four when somebody first
// asks for them. Their settings cannot be described.
//
//   mock_kafka [--brokers N] [--topic NAME[:PARTITIONS]]...
//
// Prints KAFKA_BOOTSTRAP=host:port,... on stdout and runs until SIGTERM or SIGINT.

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <signal.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr int kUsage = 2;
constexpr int kPartitionsMost = 1'000;

struct Topic {
  std::string name;
  int partitions = 1;
};

struct Options {
  int brokers = 1;
  std::vector<Topic> topics;
};

std::optional<int> count_of(std::string_view text, int most) {
  int count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count < 1 || count > most) {
    return std::nullopt;
  }
  return count;
}

std::optional<Topic> topic_of(std::string_view text) {
  const size_t colon = text.find(':');
  Topic topic{std::string(text.substr(0, colon)), 1};
  if (colon == std::string_view::npos) return topic;
  const auto partitions = count_of(text.substr(colon + 1), kPartitionsMost);
  if (!partitions) return std::nullopt;
  topic.partitions = *partitions;
  return topic;
}

std::optional<Options> read(int count, char** arguments) {
  Options options;
  for (int at = 1; at < count; at += 2) {
    const std::string_view name = arguments[at];
    if (at + 1 == count) return std::nullopt;
    if (name == "--brokers") {
      const auto brokers = count_of(arguments[at + 1], 10);
      if (!brokers) return std::nullopt;
      options.brokers = *brokers;
    } else if (name == "--topic") {
      auto topic = topic_of(arguments[at + 1]);
      if (!topic) return std::nullopt;
      options.topics.push_back(std::move(*topic));
    } else {
      return std::nullopt;
    }
  }
  return options;
}

int serve(const Options& options) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  sigprocmask(SIG_BLOCK, &ends, nullptr);  // before librdkafka's threads, which inherit it

  std::array<char, 512> reason{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "log_level", "3", reason.data(), reason.size());  // errors only
  rd_kafka_t* host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason.data(), reason.size());
  if (host == nullptr) {
    std::fprintf(stderr, "mock_kafka: %s\n", reason.data());
    return 1;
  }
  rd_kafka_mock_cluster_t* cluster = rd_kafka_mock_cluster_new(host, options.brokers);
  for (const Topic& topic : options.topics) {
    rd_kafka_mock_topic_create(cluster, topic.name.c_str(), topic.partitions, 1);
  }
  std::printf("KAFKA_BOOTSTRAP=%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
  std::fflush(stdout);
  int signal_number = 0;
  sigwait(&ends, &signal_number);
  rd_kafka_mock_cluster_destroy(cluster);
  rd_kafka_destroy(host);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const auto options = read(count, arguments);
  if (!options) {
    std::fprintf(stderr, "usage: mock_kafka [--brokers N] [--topic NAME[:PARTITIONS]]...\n");
    return kUsage;
  }
  return serve(*options);
}
