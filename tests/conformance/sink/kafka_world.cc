#include "tests/conformance/sink/kafka_world.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "connectors/kafka/handles.h"

namespace outbox::support {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr char kRecordEnd = '\x1e';
constexpr char kFieldEnd = '\x1f';

std::string output_of(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string output;
  std::vector<char> buffer(1 << 16);
  while (const size_t bytes = fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), bytes);
  }
  const int status = pclose(pipe);
  if (status != 0) throw std::runtime_error(command + " ended with " + std::to_string(status));
  return output;
}

int64_t number(const std::string& text) {
  int64_t value = -1;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::vector<std::pair<std::string, std::string>> split_headers(const std::string& text) {
  std::vector<std::pair<std::string, std::string>> headers;
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find(',', at), text.size());
    const size_t equals = text.find('=', at);
    headers.emplace_back(text.substr(at, equals - at), text.substr(equals + 1, end - equals - 1));
    at = end + 1;
  }
  return headers;
}

}  // namespace

std::string kafka_bootstrap() {
  const char* bootstrap = std::getenv("KAFKA_BOOTSTRAP");
  if (bootstrap == nullptr) {
    throw std::runtime_error("KAFKA_BOOTSTRAP is not set: start a broker with ops/services");
  }
  return bootstrap;
}

kafka::ClientOptions client_options(kafka::Properties properties) {
  kafka::ClientOptions options;
  options.bootstrap_servers = kafka_bootstrap();
  options.properties = std::move(properties);
  return options;
}

core::Now real_now() {
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  return {steady_clock::now(),
          core::WallTime{int64_t{wall.tv_sec} * 1'000'000 + wall.tv_nsec / 1'000}};
}

std::string unique_name(const std::string& stem) {
  static std::atomic<unsigned> count = 0;
  return stem + "." + std::to_string(getpid()) + "." + std::to_string(real_now().wall.us) + "." +
         std::to_string(++count);
}

std::string make_topic(uint32_t partitions, const std::map<std::string, std::string>& settings,
                       const std::string& name) {
  using namespace kafka;  // NOLINT: the handles only
  std::string topic = name.empty() ? unique_name("sink") : name;
  ConfHandle conf(rd_kafka_conf_new());
  std::vector<char> reason(512);
  rd_kafka_conf_set(conf.get(), "bootstrap.servers", kafka_bootstrap().c_str(), reason.data(),
                    reason.size());
  const ClientHandle client(
      rd_kafka_new(RD_KAFKA_PRODUCER, conf.release(), reason.data(), reason.size()));
  const QueueHandle queue(rd_kafka_queue_new(client.get()));
  const NewTopicHandle asked(rd_kafka_NewTopic_new(topic.c_str(), static_cast<int>(partitions), -1,
                                                   reason.data(), reason.size()));
  for (const auto& [setting, value] : settings) {
    rd_kafka_NewTopic_set_config(asked.get(), setting.c_str(), value.c_str());
  }
  rd_kafka_NewTopic_t* list = asked.get();
  rd_kafka_CreateTopics(client.get(), &list, 1, nullptr, queue.get());
  const EventHandle event(rd_kafka_queue_poll(queue.get(), 30'000));
  if (event == nullptr) throw std::runtime_error("no answer to CreateTopics");
  size_t count = 0;
  const auto** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  if (count != 1 || rd_kafka_topic_result_error(results[0]) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw std::runtime_error("topic " + topic + " was not made");
  }
  return topic;
}

void wait_for(const std::vector<core::Interest>& interests, milliseconds most) {
  const auto now = steady_clock::now();
  milliseconds timeout = most;
  std::vector<pollfd> fds;
  for (const core::Interest& interest : interests) {
    if (interest.fd >= 0) fds.push_back(pollfd{interest.fd, POLLIN, 0});
    if (interest.wake_at == core::kNever) continue;
    const auto left = std::chrono::ceil<milliseconds>(interest.wake_at - now);
    timeout = std::clamp(left, milliseconds(0), timeout);
  }
  ::poll(fds.data(), fds.size(), static_cast<int>(timeout.count()));
}

bool until(std::chrono::seconds patience, const std::function<bool()>& step) {
  const auto deadline = steady_clock::now() + patience;
  while (!step()) {
    if (steady_clock::now() > deadline) {
      ADD_FAILURE() << "not reached within " << patience.count() << " s";
      return false;
    }
  }
  return true;
}

std::string ReadRecord::header(const std::string& name) const {
  for (const auto& [known, text] : headers) {
    if (known == name) return text;
  }
  return "(none)";
}

std::vector<ReadRecord> read_topic(const std::string& topic) {
  const std::string format = R"(%p\x1f%T\x1f%K\x1f%k\x1f%S\x1f%s\x1f%h\x1e)";
  const std::string text =
      output_of("kcat -C -q -e -b " + kafka_bootstrap() + " -t " + topic +
                " -X fetch.message.max.bytes=60000000 -X receive.message.max.bytes=200000000"
                " -X check.crcs=true -f '" +
                format + "'");
  std::vector<ReadRecord> records;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find(kRecordEnd, at);
    std::vector<std::string> fields;
    for (size_t from = at; from <= end;) {
      const size_t to = std::min(text.find(kFieldEnd, from), end);
      fields.push_back(text.substr(from, to - from));
      from = to + 1;
    }
    if (fields.size() != 7) throw std::runtime_error("kcat's output cannot be read");
    ReadRecord record;
    record.partition = static_cast<uint32_t>(number(fields[0]));
    record.timestamp_ms = number(fields[1]);
    if (fields[2] != "-1") record.key = fields[3];
    if (fields[4] != "-1") record.value = fields[5];
    record.headers = split_headers(fields[6]);
    records.push_back(std::move(record));
    at = end + 1;
  }
  std::stable_sort(records.begin(), records.end(), [](const ReadRecord& a, const ReadRecord& b) {
    return a.partition < b.partition;
  });
  return records;
}

}  // namespace outbox::support
