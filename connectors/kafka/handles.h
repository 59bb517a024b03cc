#pragma once
// Owners of librdkafka's handles. Each frees what it holds; none is shared.

#include <librdkafka/rdkafka.h>

#include <memory>

namespace outbox::kafka {

template <auto function>
struct FreeWith {
  template <typename T>
  void operator()(T* handle) const {
    function(handle);
  }
};

using ClientHandle = std::unique_ptr<rd_kafka_t, FreeWith<rd_kafka_destroy>>;
using ConfHandle = std::unique_ptr<rd_kafka_conf_t, FreeWith<rd_kafka_conf_destroy>>;
using QueueHandle = std::unique_ptr<rd_kafka_queue_t, FreeWith<rd_kafka_queue_destroy>>;
using EventHandle = std::unique_ptr<rd_kafka_event_t, FreeWith<rd_kafka_event_destroy>>;
using TopicHandle = std::unique_ptr<rd_kafka_topic_t, FreeWith<rd_kafka_topic_destroy>>;
using HeadersHandle = std::unique_ptr<rd_kafka_headers_t, FreeWith<rd_kafka_headers_destroy>>;
using MetadataHandle =
    std::unique_ptr<const rd_kafka_metadata_t, FreeWith<rd_kafka_metadata_destroy>>;
using AdminOptionsHandle =
    std::unique_ptr<rd_kafka_AdminOptions_t, FreeWith<rd_kafka_AdminOptions_destroy>>;
using ConfigResourceHandle =
    std::unique_ptr<rd_kafka_ConfigResource_t, FreeWith<rd_kafka_ConfigResource_destroy>>;
using NewTopicHandle = std::unique_ptr<rd_kafka_NewTopic_t, FreeWith<rd_kafka_NewTopic_destroy>>;

}  // namespace outbox::kafka
