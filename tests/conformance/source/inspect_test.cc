// What `outbox doctor` hears about a Postgres.

#include "connectors/postgres/finding.h"
#include "tests/conformance/source/source_test.h"

namespace outbox::conformance {
namespace {

class InspectTest : public SourceTest {
 protected:
  postgres::PostgresOptions options() const {
    postgres::PostgresOptions options;
    options.url = database_.url();
    options.pipeline = "orders";
    options.slot = database_.unique("slot");
    options.publication = "orders";
    return options;
  }

  Texts codes(const postgres::PostgresOptions& options) const {
    Texts codes;
    for (const postgres::Finding& finding : postgres::inspect(options)) {
      if (finding.severity != postgres::Severity::note) codes.push_back(finding.code);
    }
    return codes;
  }
};

TEST_F(InspectTest, ADatabaseThatIsReadyForAFirstStartHasNoErrors) {
  EXPECT_EQ(codes(options()), Texts{});
}

TEST_F(InspectTest, ItChangesNothing) {
  postgres::inspect(options());
  EXPECT_EQ(sql_.value("select count(*) from pg_publication"), "0");
  EXPECT_EQ(sql_.value("select count(*) from pg_replication_slots where slot_name = '" +
                       options().slot + "'"),
            "0");
  EXPECT_EQ(sql_.value("select count(*) from outbox.progress"), "0");
}

TEST_F(InspectTest, EachRemedyMendsWhatItWasGivenFor) {
  sql_.run("create publication orders for table outbox.event with (publish = 'update')");
  for (const std::string code : {"PUBLICATION_PARTITIONS", "PUBLICATION_WITHOUT_INSERTS"}) {
    const auto findings = postgres::inspect(options());
    const auto found = std::find_if(findings.begin(), findings.end(),
                                    [&](const auto& finding) { return finding.code == code; });
    ASSERT_NE(found, findings.end()) << code;
    sql_.run(found->remedy);
  }
  EXPECT_EQ(codes(options()), Texts{});
}

TEST_F(InspectTest, ARoleWithoutGrantsHearsWhatToGrant) {
  const std::string role = database_.unique("stranger");
  sql_.run("create role " + role + " login password 'p'");
  postgres::PostgresOptions poor = options();
  poor.url = url_as(database_.name(), role, "p");
  const Texts found = codes(poor);
  EXPECT_TRUE(contains(found, "ROLE_REPLICATION"));
  EXPECT_TRUE(contains(found, "PROGRESS_DENIED"));
  EXPECT_TRUE(contains(found, "TABLE_DENIED"));
  sql_.run("grant outbox_relay to " + role + "; alter role " + role + " replication");
  EXPECT_EQ(codes(poor), Texts{});
  sql_.run("drop owned by " + role + "; drop role " + role);
}

TEST_F(InspectTest, AnUnreachableServerIsAFindingWithoutThePassword) {
  postgres::PostgresOptions away = options();
  away.url = "postgresql://relay:topsecret@127.0.0.1:1/shop";
  const auto findings = postgres::inspect(away);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].what.find("topsecret"), std::string::npos);
  EXPECT_NE(findings[0].what.find("refused"), std::string::npos) << findings[0].what;
}

TEST_F(InspectTest, ATableWithoutASizeCheckIsWarnedAbout) {
  sql_.run(
      "create table box (id uuid, aggregate_type text, aggregate_id text, event_type text,"
      " payload jsonb)");
  postgres::PostgresOptions foreign = options();
  foreign.table = {"public", "box"};
  EXPECT_EQ(codes(foreign), Texts{"NO_SIZE_CHECK"});
  sql_.run("alter table box add check (octet_length(payload::text) < 1000)");
  EXPECT_EQ(codes(foreign), Texts{});
}

}  // namespace
}  // namespace outbox::conformance
