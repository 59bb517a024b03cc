#pragma once
// Settings of the Kafka client: ours, and what a user may add with `properties`.
//
// Thread: any. Values may be secrets (sasl.password, ssl.key.password, ssl.key.pem): they go to the
// client library and nowhere else, and no message of this folder has a value in it.

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/kafka/handles.h"
#include "relay/core/clock.h"
#include "relay/core/limits.h"
#include "relay/core/result.h"

namespace outbox::kafka {

using Properties = std::map<std::string, std::string>;

/// Syslog's levels, as the client library uses them: 3 error, 4 warning, 6 info.
using LogFunction = std::function<void(int level, const std::string& line)>;

/// How to reach the cluster. Shared by every client that the connector makes.
struct ClientOptions {
  std::string bootstrap_servers;
  std::string client_id = "outbox";
  Properties properties;  // as check_properties() let them pass
  LogFunction log;        // may be empty; called from the client library's threads
};

/// Why a property cannot be used.
struct PropertyFault {
  std::string name;
  std::string what;    // a fragment, without the value
  std::string remedy;  // whole sentences, or empty
};

/// Everything wrong with `properties`, in their order. Touches nothing in the world.
std::vector<PropertyFault> check_properties(const Properties& properties);

/// True when the value must not be shown.
bool secret_property(std::string_view name);

/// Why the properties and the bootstrap servers do not go together, e.g. a CA file that cannot be
/// read; nullopt when a client can be made of them. Reads certificates, connects to nothing.
std::optional<core::Error> check_client(const ClientOptions& options);

/// How soon a lost connection is tried again.
enum class Reconnects {
  fast,  // within a second after a broker is up
  slow,  // each half minute: a refused password is not hammered at the brokers
};

/// The conf of a producer: idempotent, gapless, acks=all.
struct ProducerSettings {
  size_t batch_bytes_max = 1'000'000;
  size_t record_bytes_max = core::kDeadLetterRecordBytesMax;
  Reconnects reconnects = Reconnects::fast;
};
core::Result<ConfHandle> producer_conf(const ClientOptions& options,
                                       const ProducerSettings& settings);

/// The conf of a client that only asks: metadata, topic settings.
core::Result<ConfHandle> asking_conf(const ClientOptions& options, Reconnects reconnects);

/// The conf of a client that reads topics by itself, without a group: every record that is there,
/// checksums verified, at most `ahead_bytes` fetched ahead.
core::Result<ConfHandle> scanning_conf(const ClientOptions& options, size_t ahead_bytes);

/// Makes the client. The ClientOptions that its conf was made of outlive it.
core::Result<ClientHandle> make_client(rd_kafka_type_t type, ConfHandle conf);

}  // namespace outbox::kafka
