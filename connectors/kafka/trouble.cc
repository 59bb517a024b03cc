#include "connectors/kafka/trouble.h"

namespace outbox::kafka {
namespace {

// The library appends what happened before the failure: "(after 3ms in state SSL_HANDSHAKE, 4
// identical error(s) suppressed)". Only noise, and different in every line.
std::string without_timing(const std::string& text) {
  const size_t noise = text.rfind(" (after ");
  return noise == std::string::npos ? text : text.substr(0, noise);
}

// Before 2.6.1 the library repeats its own nonce in SCRAM's last message. Brokers that compare it
// strictly, Kafka 4 among them, answer "invalid credentials" whatever the password.
constexpr int kScramMended = 0x020601ff;

const char* remedy(rd_kafka_resp_err_t error, const std::string& text) {
  if (error == RD_KAFKA_RESP_ERR__AUTHENTICATION && text.find("SCRAM") != std::string::npos &&
      rd_kafka_version() < kScramMended) {
    return "Check sasl.username and sasl.password. But Kafka 4 takes no SCRAM from librdkafka "
           "before 2.6.1: with this one use PLAIN over TLS, or a client certificate";
  }
  switch (error) {
    case RD_KAFKA_RESP_ERR__SSL:
      return "Check ssl.ca.location, the name in the broker's certificate and its dates, and "
             "security.protocol";
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      return "Check sasl.username, sasl.password and sasl.mechanism; it is tried again every "
             "half minute";
    case RD_KAFKA_RESP_ERR__RESOLVE:
      return "Check the host name in bootstrap_servers";
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
      return "Waiting for a broker; check bootstrap_servers if it should be there";
    default:
      return "";
  }
}

}  // namespace

std::string describe_trouble(rd_kafka_resp_err_t error, const std::string& text) {
  std::string sentence = "Kafka: " + without_timing(text);
  if (const std::string what_to_do = remedy(error, text); !what_to_do.empty()) {
    sentence += ". " + what_to_do;
  }
  return sentence;
}

bool is_not_let_in(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR__AUTHENTICATION || error == RD_KAFKA_RESP_ERR__SSL ||
         error == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED ||
         error == RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM;
}

bool is_passing(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR_INVALID_REQUEST:
      return false;
    default:
      return true;
  }
}

}  // namespace outbox::kafka
