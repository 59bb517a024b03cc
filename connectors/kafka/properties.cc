#include "connectors/kafka/properties.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "relay/core/assert.h"
#include "relay/core/suggest.h"

namespace outbox::kafka {
namespace {

using core::Error;
using core::Fault;
using core::Result;

constexpr size_t kReasonBytes = 512;

struct Owned {
  std::string_view name;
  std::string_view why;
};

constexpr std::string_view kOrder = "the order of a key depends on it";
constexpr std::string_view kLoss = "that no event is lost depends on it";
constexpr std::string_view kOurs = "the relay sets it itself";

// What holds the invariants, under each of its names.
constexpr std::array kOwned = {
    Owned{"acks", kLoss},
    Owned{"request.required.acks", kLoss},
    Owned{"enable.idempotence", kOrder},
    Owned{"enable.gapless.guarantee", kOrder},
    Owned{"message.timeout.ms", kLoss},
    Owned{"delivery.timeout.ms", kLoss},
    Owned{"retries", kLoss},
    Owned{"message.send.max.retries", kLoss},
    Owned{"max.in.flight", kOrder},
    Owned{"max.in.flight.requests.per.connection", kOrder},
    Owned{"queuing.strategy", kOrder},
    Owned{"produce.offset.report", kOurs},
    Owned{"transactional.id", kOrder},
    Owned{"partitioner", "keys must land where every other producer puts them (murmur2_random)"},
    Owned{"message.max.bytes", "it must be above the largest row that the schema allows"},
    Owned{"queue.buffering.max.messages", kOurs},
    Owned{"queue.buffering.max.kbytes", kOurs},
    Owned{"allow.auto.create.topics", "the relay makes no topic but the dead-letter topic"},
    Owned{"log.queue", kOurs},
    Owned{"enabled_events", kOurs},
};

constexpr std::array<std::string_view, 7> kSecrets = {"sasl.password",
                                                      "ssl.key.password",
                                                      "ssl.key.pem",
                                                      "ssl_key",
                                                      "ssl.keystore.password",
                                                      "sasl.oauthbearer.config",
                                                      "sasl.oauthbearer.client.secret"};

// The library's own table of properties, one a line: "name | C/P | range | ...".
std::vector<std::string> known_names() {
  char* text = nullptr;
  size_t bytes = 0;
  FILE* memory = open_memstream(&text, &bytes);
  OUTBOX_ASSERT(memory != nullptr);
  rd_kafka_conf_properties_show(memory);
  std::fclose(memory);
  std::vector<std::string> names;
  std::string_view rest(text, bytes);
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.find('|') == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, line.find_first_of(" |"));
    if (name.find('.') != std::string_view::npos || name == "debug") names.emplace_back(name);
  }
  std::free(text);
  return names;
}

std::string suggestion(std::string_view typed) {
  const std::string meant = core::did_you_mean(typed, known_names());
  return meant.empty() ? "See librdkafka's CONFIGURATION.md" : meant;
}

std::optional<PropertyFault> fault_of(const std::string& name, const std::string& value) {
  const auto owned = std::find_if(kOwned.begin(), kOwned.end(),
                                  [&name](const Owned& entry) { return entry.name == name; });
  if (owned != kOwned.end()) {
    return PropertyFault{name, "cannot be set: " + std::string(owned->why), "Take it out."};
  }
  if (name == "bootstrap.servers" || name == "metadata.broker.list") {
    return PropertyFault{name, "cannot be set here", "Use the sink's key bootstrap_servers."};
  }
  if (name.ends_with("_cb")) {
    return PropertyFault{name, "is a function of the client's own programs", "Take it out."};
  }
  std::array<char, kReasonBytes> reason{};
  const ConfHandle conf(rd_kafka_conf_new());
  switch (
      rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), reason.data(), reason.size())) {
    case RD_KAFKA_CONF_OK:
      return std::nullopt;
    case RD_KAFKA_CONF_UNKNOWN:
      return PropertyFault{name, "is no property of librdkafka", suggestion(name)};
    case RD_KAFKA_CONF_INVALID:
      return PropertyFault{name,
                           secret_property(name)
                               ? "has a value that librdkafka does not take"
                               : "is not accepted by librdkafka: " + std::string(reason.data()),
                           ""};
  }
  return std::nullopt;
}

Error conf_error(const std::string& name, const char* reason) {
  return Error{Fault::fatal,
               "KAFKA_SETTING",
               "set up the Kafka client",
               name,
               secret_property(name) ? "the value is not accepted" : reason,
               "Correct the sink's properties"};
}

class ConfWriter {
 public:
  explicit ConfWriter(rd_kafka_conf_t* conf) : conf_(conf) {}

  void set(const std::string& name, const std::string& value) {
    if (error_) return;
    std::array<char, kReasonBytes> reason{};
    if (rd_kafka_conf_set(conf_, name.c_str(), value.c_str(), reason.data(), reason.size()) !=
        RD_KAFKA_CONF_OK) {
      error_ = conf_error(name, reason.data());
    }
  }
  void set(const std::string& name, size_t value) { set(name, std::to_string(value)); }
  const std::optional<Error>& error() const { return error_; }

 private:
  rd_kafka_conf_t* conf_;
  std::optional<Error> error_;
};

void write_log(const rd_kafka_t* client, int level, const char* facility, const char* line) {
  const auto* log = static_cast<const LogFunction*>(rd_kafka_opaque(client));
  // CONFWARN tells that producers ignore consumer settings and the other way round: one set of
  // properties serves both. FATAL is told as what it is, the end of one producer (conveyor.h).
  const std::string_view about = facility;
  if (log == nullptr || !*log || about == "CONFWARN" || about == "FATAL") return;
  (*log)(level, std::string(facility) + ": " + line);
}

size_t wanted_batch_bytes(const ClientOptions& options) {
  size_t wanted = std::numeric_limits<size_t>::max();
  const auto found = options.properties.find("batch.size");
  if (found != options.properties.end()) {
    const std::string& text = found->second;
    std::from_chars(text.data(), text.data() + text.size(), wanted);
  }
  return wanted;
}

// What every client shares. A user's own value for these wins.
void set_connection(ConfWriter& conf, const ClientOptions& options, Reconnects reconnects) {
  const bool slow = reconnects == Reconnects::slow;
  conf.set("client.id", options.client_id);
  conf.set("socket.nagle.disable", "true");
  conf.set("socket.keepalive.enable", "true");
  // Back within a second after a broker is up again; a refused password is asked every half minute.
  conf.set("reconnect.backoff.ms", slow ? 30'000 : 50);
  conf.set("reconnect.backoff.max.ms", slow ? 30'000 : 1'000);
  conf.set("socket.connection.setup.timeout.ms", 10'000);
  for (const auto& [name, value] : options.properties) conf.set(name, value);
  conf.set("bootstrap.servers", options.bootstrap_servers);
}

Result<ConfHandle> finished(ConfHandle conf, const ConfWriter& writer,
                            const ClientOptions& options) {
  if (writer.error()) return *writer.error();
  rd_kafka_conf_set_opaque(conf.get(), const_cast<LogFunction*>(&options.log));
  rd_kafka_conf_set_log_cb(conf.get(), write_log);
  return conf;
}

// The library's own message leaves the file out.
std::optional<Error> unreadable_file(const Properties& properties) {
  for (const auto& [name, value] : properties) {
    if (!name.ends_with(".location") || value == "probe" || access(value.c_str(), R_OK) == 0) {
      continue;
    }
    return Error{Fault::fatal,
                 "KAFKA_SETTING",
                 "set up the Kafka client",
                 name,
                 "\"" + value + "\" cannot be read: " + std::strerror(errno),
                 "Correct the path, or let the relay's user read it"};
  }
  return std::nullopt;
}

}  // namespace

bool secret_property(std::string_view name) {
  return std::find(kSecrets.begin(), kSecrets.end(), name) != kSecrets.end();
}

std::vector<PropertyFault> check_properties(const Properties& properties) {
  std::vector<PropertyFault> faults;
  for (const auto& [name, value] : properties) {
    if (auto fault = fault_of(name, value)) faults.push_back(std::move(*fault));
  }
  return faults;
}

Result<ConfHandle> producer_conf(const ClientOptions& options, const ProducerSettings& settings) {
  ConfHandle conf(rd_kafka_conf_new());
  ConfWriter writer(conf.get());
  // The client rounds any wait up to a millisecond, which would triple the latency of a quiet
  // relay. Under load records gather by themselves while a batch is on its way.
  writer.set("linger.ms", "0");
  set_connection(writer, options, settings.reconnects);
  // A batch that outgrows the smallest topic is refused as a whole, so the user's size only shrinks
  // ours.
  writer.set("batch.size", std::min(settings.batch_bytes_max, wanted_batch_bytes(options)));
  writer.set("enable.idempotence", "true");
  writer.set("acks", "all");
  writer.set("enable.gapless.guarantee", "true");
  writer.set("message.timeout.ms", "0");
  writer.set("partitioner", "murmur2_random");
  writer.set("message.max.bytes", settings.record_bytes_max);
  // The sink counts bytes and records itself; the client's own bounds must never answer first.
  writer.set("queue.buffering.max.messages", 10'000'000);
  writer.set("queue.buffering.max.kbytes", 2'000'000);
  writer.set("allow.auto.create.topics", "false");
  rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
  return finished(std::move(conf), writer, options);
}

Result<ConfHandle> asking_conf(const ClientOptions& options, Reconnects reconnects) {
  ConfHandle conf(rd_kafka_conf_new());
  ConfWriter writer(conf.get());
  set_connection(writer, options, reconnects);
  writer.set("allow.auto.create.topics", "false");
  rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_ERROR);
  return finished(std::move(conf), writer, options);
}

Result<ConfHandle> scanning_conf(const ClientOptions& options, size_t ahead_bytes) {
  ConfHandle conf(rd_kafka_conf_new());
  ConfWriter writer(conf.get());
  set_connection(writer, options, Reconnects::fast);
  writer.set("allow.auto.create.topics", "false");
  writer.set("group.id", "outbox-verify");  // the library wants one; nothing is committed under it
  writer.set("enable.auto.commit", "false");
  writer.set("enable.auto.offset.store", "false");
  writer.set("enable.partition.eof", "true");
  writer.set("auto.offset.reset", "earliest");
  writer.set("isolation.level", "read_uncommitted");
  writer.set("check.crcs", "true");
  writer.set("queued.max.messages.kbytes", ahead_bytes / 1024);
  writer.set("fetch.message.max.bytes", ahead_bytes / 16);
  writer.set("fetch.max.bytes", ahead_bytes / 2);
  return finished(std::move(conf), writer, options);
}

Result<ClientHandle> make_client(rd_kafka_type_t type, ConfHandle conf) {
  std::array<char, kReasonBytes> reason{};
  rd_kafka_t* client = rd_kafka_new(type, conf.get(), reason.data(), reason.size());
  if (client == nullptr) {
    return Error{Fault::fatal, "KAFKA_SETTING", "set up the Kafka client",
                 "",           reason.data(),   "Correct the sink's properties"};
  }
  static_cast<void>(conf.release());  // the client owns it now
  return ClientHandle(client);
}

std::optional<Error> check_client(const ClientOptions& options) {
  if (auto error = unreadable_file(options.properties)) return error;
  auto conf = producer_conf(options, ProducerSettings{});
  if (!conf) return conf.error();
  auto client = make_client(RD_KAFKA_PRODUCER, std::move(*conf));
  if (!client) return client.error();
  return std::nullopt;
}

}  // namespace outbox::kafka
