#pragma once
// A librdkafka configuration from name and value pairs.

#include <librdkafka/rdkafka.h>

#include <array>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>

namespace outbox::bench {

/// A client of this type; throws when librdkafka refuses a setting.
inline rd_kafka_t* make_client(
    rd_kafka_type_t type, std::initializer_list<std::pair<const char*, std::string>> settings) {
  std::array<char, 512> problem{};
  rd_kafka_conf_t* config = rd_kafka_conf_new();
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(config, name, value.c_str(), problem.data(), problem.size()) !=
        RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(config);
      throw std::runtime_error(problem.data());
    }
  }
  rd_kafka_t* client = rd_kafka_new(type, config, problem.data(), problem.size());
  if (client == nullptr) {
    rd_kafka_conf_destroy(config);
    throw std::runtime_error(problem.data());
  }
  return client;
}

}  // namespace outbox::bench
