#include "connectors/kafka/properties.h"

#include <gtest/gtest.h>

#include "connectors/kafka/kafka.h"
#include "connectors/kafka/trouble.h"

namespace outbox::kafka {
namespace {

TEST(KafkaProperties, ThatHoldTheInvariantsAreRefusedUnderEachOfTheirNames) {
  for (const char* name :
       {"acks", "request.required.acks", "enable.idempotence", "enable.gapless.guarantee",
        "message.timeout.ms", "delivery.timeout.ms", "partitioner", "retries",
        "message.send.max.retries", "max.in.flight", "max.in.flight.requests.per.connection",
        "transactional.id", "queuing.strategy", "message.max.bytes", "allow.auto.create.topics"}) {
    const auto faults = check_properties({{name, "1"}});
    ASSERT_EQ(faults.size(), 1U) << name;
    EXPECT_EQ(faults[0].name, name);
    EXPECT_NE(faults[0].what.find("cannot be set"), std::string::npos) << faults[0].what;
  }
}

TEST(KafkaProperties, ForSecurityAndTuningPass) {
  EXPECT_TRUE(check_properties({{"security.protocol", "SASL_SSL"},
                                {"sasl.mechanism", "SCRAM-SHA-512"},
                                {"sasl.username", "relay"},
                                {"sasl.password", "s3cret"},
                                {"ssl.ca.location", "/etc/ssl/kafka.pem"},
                                {"compression.type", "lz4"},
                                {"linger.ms", "2"},
                                {"batch.size", "200000"}})
                  .empty());
}

TEST(KafkaProperties, UnknownNamesComeWithASuggestion) {
  const auto faults = check_properties({{"sasl.pasword", "x"}, {"compresion.type", "lz4"}});
  ASSERT_EQ(faults.size(), 2U);
  EXPECT_EQ(faults[0].remedy, "Did you mean \"compression.type\"?");
  EXPECT_EQ(faults[1].remedy, "Did you mean \"sasl.password\"?");
}

TEST(KafkaProperties, BadValuesAreNamedWithWhatIsTaken) {
  const auto faults = check_properties({{"security.protocol", "TLS"}, {"linger.ms", "soon"}});
  ASSERT_EQ(faults.size(), 2U);
  EXPECT_NE(faults[1].what.find("security.protocol"), std::string::npos) << faults[1].what;
}

TEST(KafkaProperties, BootstrapServersHaveAKeyOfTheirOwn) {
  const auto faults = check_properties({{"bootstrap.servers", "a:1"}});
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_NE(faults[0].remedy.find("bootstrap_servers"), std::string::npos);
}

TEST(KafkaProperties, NoMessageShowsASecret) {
  const std::string secret = "canary-7f3a";
  for (const char* name :
       {"sasl.password", "ssl.key.password", "ssl.key.pem", "ssl.keystore.password"}) {
    EXPECT_TRUE(secret_property(name)) << name;
    for (const PropertyFault& fault : check_properties({{name, secret}})) {
      EXPECT_EQ((fault.what + fault.remedy).find(secret), std::string::npos);
    }
    std::string logged;
    ClientOptions options;
    options.bootstrap_servers = "127.0.0.1:1";
    options.properties = {{name, secret}, {"security.protocol", "ssl"}};
    options.log = [&logged](int, const std::string& line) { logged += line; };
    if (const auto error = check_client(options)) {
      EXPECT_EQ(core::to_string(*error).find(secret), std::string::npos);
    }
    EXPECT_EQ(logged.find(secret), std::string::npos) << name;
  }
}

TEST(KafkaProperties, AFileThatCannotBeReadStopsTheStartAndIsNamed) {
  ClientOptions options;
  options.bootstrap_servers = "127.0.0.1:1";
  options.properties = {{"security.protocol", "ssl"}, {"ssl.ca.location", "/nowhere/ca.pem"}};
  const auto kafka = Kafka::make(options);
  ASSERT_FALSE(kafka.ok());
  EXPECT_NE(core::to_string(kafka.error()).find("/nowhere/ca.pem"), std::string::npos)
      << core::to_string(kafka.error());
}

TEST(KafkaTrouble, KeepsTheLibrarysWordsAndAddsTheRemedy) {
  const std::string text = describe_trouble(
      RD_KAFKA_RESP_ERR__AUTHENTICATION,
      "sasl_ssl://b:9093/bootstrap: SASL SCRAM-SHA-512: Authentication failed (after 312ms in "
      "state AUTH_REQ, 4 identical error(s) suppressed)");
  EXPECT_NE(text.find("Authentication failed"), std::string::npos);
  EXPECT_NE(text.find("sasl.password"), std::string::npos);
  EXPECT_EQ(text.find("312ms"), std::string::npos);
}

}  // namespace
}  // namespace outbox::kafka
