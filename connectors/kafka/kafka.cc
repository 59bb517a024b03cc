#include "connectors/kafka/kafka.h"

#include <utility>

#include "connectors/kafka/kafka_journal.h"
#include "connectors/kafka/kafka_sink.h"

namespace outbox::kafka {

core::Result<Kafka> Kafka::make(ClientOptions options) {
  if (auto error = check_client(options)) return *error;
  auto shared = std::make_shared<const ClientOptions>(std::move(options));
  auto watch = std::make_shared<TopicWatch>(shared);
  return Kafka(std::move(shared), std::move(watch));
}

std::unique_ptr<KafkaSink> Kafka::sink(const std::vector<RouteFormat>& formats) {
  return std::make_unique<KafkaSink>(options_, watch_, kOutsideBytesMax, formats);
}

std::unique_ptr<core::Sink> Kafka::journal(const std::string& pipeline) {
  return std::make_unique<KafkaJournal>(options_, watch_, pipeline);
}

}  // namespace outbox::kafka
