#include <gtest/gtest.h>

#include "connectors/postgres/detail/connection.h"

namespace outbox::postgres {
namespace {

std::string value(const ConnectParameters& parameters, const char* keyword) {
  const std::string* found = parameters.find(keyword);
  return found == nullptr ? "(none)" : *found;
}

std::vector<ConnectParameters> parameters_of(const std::string& url, ConnectionKind kind) {
  const auto parameters = connect_parameters(url, kind, "outbox orders");
  EXPECT_TRUE(parameters.ok());
  return parameters.ok() ? *parameters : std::vector<ConnectParameters>{{}};
}

TEST(ConnectParametersTest, WhatTheUrlSaysIsKeptAndWhatARelayNeedsIsAdded) {
  const auto all = parameters_of(
      "postgresql://relay:s%40crt@db:6000/shop?keepalives_idle=60&application_name=mine&"
      "sslmode=verify-full&client_encoding=LATIN1",
      ConnectionKind::replication);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(value(all[0], "host"), "db");
  EXPECT_EQ(value(all[0], "port"), "6000");
  EXPECT_EQ(value(all[0], "password"), "s@crt");
  EXPECT_EQ(value(all[0], "sslmode"), "verify-full");
  EXPECT_EQ(value(all[0], "keepalives_idle"), "60");
  EXPECT_EQ(value(all[0], "application_name"), "mine");
  EXPECT_EQ(value(all[0], "replication"), "database");
  EXPECT_EQ(value(all[0], "client_encoding"), "UTF8");
  EXPECT_EQ(value(all[0], "keepalives_count"), "3");
  EXPECT_EQ(value(all[0], "tcp_user_timeout"), "9000");
  EXPECT_EQ(value(all[0], "fallback_application_name"), "outbox orders");
}

TEST(ConnectParametersTest, KeyValueStringsServeToo) {
  const auto all = parameters_of("host=/run/postgresql dbname=shop", ConnectionKind::sql);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(value(all[0], "host"), "/run/postgresql");
  EXPECT_EQ(value(all[0], "replication"), "(none)");
}

TEST(ConnectParametersTest, SeveralHostsAreTriedOneByOne) {
  const auto all = parameters_of("postgresql://a:1,b:2/shop?target_session_attrs=read-write",
                                 ConnectionKind::sql);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(value(all[0], "host"), "a");
  EXPECT_EQ(value(all[0], "port"), "1");
  EXPECT_EQ(value(all[1], "host"), "b");
  EXPECT_EQ(value(all[1], "port"), "2");
  EXPECT_EQ(value(all[1], "target_session_attrs"), "read-write");
}

TEST(ConnectParametersTest, AUrlThatCannotBeParsedIsRefusedWithoutShowingAnyOfIt) {
  for (const char* url :
       {"postgresql://relay:topsecret@db/shop?topsecret=1", "host=db password='topsecret",
        "host=db pass topsecret", "postgresql://relay:topsecret%zz@db/shop"}) {
    const auto parameters = connect_parameters(url, ConnectionKind::sql, "outbox orders");
    ASSERT_FALSE(parameters.ok()) << url;
    EXPECT_EQ(parameters.error().fault, core::Fault::fatal);
    EXPECT_EQ(core::to_string(parameters.error()).find("topsecret"), std::string::npos);
  }
}

}  // namespace
}  // namespace outbox::postgres
