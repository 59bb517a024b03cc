// What `outbox verify` compares with is what the sink sends.

#include "connectors/kafka/record_image.h"

#include <gtest/gtest.h>

#include <array>

#include "connectors/kafka/record_headers.h"

namespace outbox::kafka {
namespace {

using Pairs = std::vector<std::pair<std::string, std::optional<std::string>>>;

Pairs pairs_of(const rd_kafka_headers_t* headers) {
  Pairs pairs;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    std::optional<std::string> text;
    if (value != nullptr) text.emplace(static_cast<const char*>(value), size);
    pairs.emplace_back(name, text);
  }
  return pairs;
}

Pairs pairs_of(const FormattedRecord& record) {
  Pairs pairs;
  for (const core::Header& header : record.headers) {
    std::optional<std::string> text;
    if (header.value) text.emplace(*header.value);
    pairs.emplace_back(header.name, text);
  }
  return pairs;
}

class RecordImageTest : public testing::Test {
 protected:
  RecordImageTest() {
    event.id = *core::parse_uuid("11111111-2222-3333-4444-555555555555");
    event.aggregate_type = "order";
    event.aggregate_id = "4711";
    event.event_type = "OrderPlaced";
    event.payload = "{}";
    event.headers = headers;
    event.position = {0x16B374D848, 3};
  }

  std::array<core::Header, 2> headers = {
      {{"tenant", std::string_view("a")}, {"nothing", std::nullopt}}};
  core::Event event;
};

TEST_F(RecordImageTest, APlainRecordHasTheHeadersThatTheSinkWrites) {
  HeadersWriter writer;
  const auto written = writer.write(event, core::PositionForm::lsn_ordinal, 7);
  RecordImage image({});
  ASSERT_FALSE(image.make(0, event, {core::PositionForm::lsn_ordinal, 7}));
  EXPECT_EQ(pairs_of(image.record()), pairs_of(written.get()));
  EXPECT_EQ(image.record().key, "4711");
  EXPECT_EQ(image.record().value, "{}");
}

TEST_F(RecordImageTest, WhatAFormatRefusesSaysWhy) {
  RecordImage image({CloudEventsOptions{}});
  EXPECT_FALSE(image.plain(0));
  EXPECT_FALSE(image.make(0, event, {}));
  event.event_type = "";
  const auto cause = image.make(0, event, {});
  ASSERT_TRUE(cause.has_value());
  EXPECT_EQ(cause->code, "CLOUDEVENT_WITHOUT_TYPE");
}

}  // namespace
}  // namespace outbox::kafka
