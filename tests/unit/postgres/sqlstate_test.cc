#include "connectors/postgres/detail/sqlstate.h"

#include <gtest/gtest.h>

namespace outbox::postgres {
namespace {

TEST(SqlstateTest, OneTableDecidesWhatACodeMeans) {
  EXPECT_EQ(trouble_of("55006"), Trouble::slot_active);
  EXPECT_EQ(trouble_of("57P03"), Trouble::server_stopping);
  EXPECT_EQ(trouble_of("28P01"), Trouble::access);
  EXPECT_EQ(trouble_of("28000"), Trouble::access);
  EXPECT_EQ(trouble_of("42501"), Trouble::access);
  EXPECT_EQ(trouble_of("42704"), Trouble::lasting);
  EXPECT_EQ(trouble_of("42P01"), Trouble::lasting);
  EXPECT_EQ(trouble_of("55000"), Trouble::lasting);
  EXPECT_EQ(trouble_of("3D000"), Trouble::lasting);
  EXPECT_EQ(trouble_of("08006"), Trouble::passing);
  EXPECT_EQ(trouble_of("53300"), Trouble::passing);
  EXPECT_EQ(trouble_of("57P01"), Trouble::passing);
  EXPECT_EQ(trouble_of("XX000"), Trouble::passing);
  EXPECT_EQ(trouble_of(""), Trouble::passing);
}

TEST(SqlstateTest, OnlyLastingTroubleEndsAPipeline) {
  EXPECT_EQ(fault_of(Trouble::lasting), core::Fault::fatal);
  for (const Trouble trouble :
       {Trouble::passing, Trouble::server_stopping, Trouble::slot_active, Trouble::access}) {
    EXPECT_EQ(fault_of(trouble), core::Fault::retry);
  }
}

TEST(SqlstateTest, ARefusedLoginGivesItsCodeAndOneLine) {
  const ConnectFailure failure = read_connect_failure(
      "connection to server at \"db\" (10.0.0.1), port 5432 failed: FATAL:  28P01: password "
      "authentication failed for user \"relay\"\nLOCATION:  auth_failed, auth.c:331\n");
  EXPECT_EQ(failure.sqlstate, "28P01");
  EXPECT_EQ(failure.text,
            "connection to server at \"db\" (10.0.0.1), port 5432 failed: password authentication "
            "failed for user \"relay\"");
}

TEST(SqlstateTest, ASeverityInAnotherLanguageIsUnderstoodToo) {
  EXPECT_EQ(read_connect_failure("connexion au serveur a échoué : FATAL:  57P03: le système de "
                                 "bases de données s'arrête\n")
                .sqlstate,
            "57P03");
}

TEST(SqlstateTest, WhatAServerSaidCountsMoreThanThatAnotherAddressWasSilent) {
  const ConnectFailure failure = read_connect_failure(
      "connection to server at \"localhost\" (::1), port 1 failed: Connection refused\n"
      "\tIs the server running on that host and accepting TCP/IP connections?\n"
      "connection to server at \"localhost\" (127.0.0.1), port 1 failed: FATAL:  3D000: database "
      "\"x\" does not exist\nLOCATION:  InitPostgres, postinit.c:1\n");
  EXPECT_EQ(failure.sqlstate, "3D000");
}

TEST(SqlstateTest, TroubleBelowPostgresIsAConnectionFailure) {
  const ConnectFailure failure = read_connect_failure(
      "connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n\tIs the server "
      "running on that host and accepting TCP/IP connections?\n");
  EXPECT_EQ(failure.sqlstate, "08006");
  EXPECT_EQ(failure.text,
            "connection to server at \"127.0.0.1\", port 1 failed: Connection refused");
}

}  // namespace
}  // namespace outbox::postgres
