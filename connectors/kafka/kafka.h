#pragma once
// The Kafka connector's front: what the wiring needs. Everything else in this folder is behind it.
//
//   auto kafka = Kafka::make(options);       // checks the settings, touches nothing in the world
//   auto sink = kafka->sink();               // one per pipeline
//   auto journal = kafka->journal("orders");
//
// Thread: make() and look_at_cluster() any; each sink belongs to its pipeline's thread. Lifetime:
// sinks share what they need and may outlive the Kafka object. Errors: see each function.

#include <memory>
#include <string>
#include <vector>

#include "connectors/kafka/admin.h"
#include "connectors/kafka/dead_letter_topics.h"
#include "connectors/kafka/kafka_sink.h"
#include "connectors/kafka/properties.h"
#include "connectors/kafka/topic_watch.h"
#include "relay/core/result.h"
#include "relay/core/sink.h"

namespace outbox::kafka {

class Kafka {
 public:
  /// An Error names the property that the client library does not take, or the file that it cannot
  /// read. Starts the thread that asks about topics; connecting goes on behind it.
  static core::Result<Kafka> make(ClientOptions options);

  /// `formats`: how the records of each route are written, in the Router's order.
  std::unique_ptr<KafkaSink> sink(const std::vector<RouteFormat>& formats = {});
  std::unique_ptr<core::Sink> journal(const std::string& pipeline);

 private:
  Kafka(std::shared_ptr<const ClientOptions> options, std::shared_ptr<TopicWatch> watch)
      : options_(std::move(options)), watch_(std::move(watch)) {}

  std::shared_ptr<const ClientOptions> options_;
  std::shared_ptr<TopicWatch> watch_;
};

/// One thing that `outbox doctor` saw.
struct Observation {
  enum class Level { ok, warn, error, unreachable };
  Level level = Level::ok;
  std::string what;
  std::string fix;  // a command, or empty
};

/// Looks at the cluster as it is: brokers, the topics of the routes, their limits, the dead-letter
/// topics. Makes nothing. Waits, at most some `timeout`s.
std::vector<Observation> look_at_cluster(const ClientOptions& options, const std::string& pipeline,
                                         const std::vector<std::string>& topics,
                                         std::chrono::milliseconds timeout);

}  // namespace outbox::kafka
