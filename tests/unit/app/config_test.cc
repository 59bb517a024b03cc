// The config: what a good one becomes, and that a wrong one shows every fault with its place
// (fault table 6b, "config: unknown key, type, range, unset env, unreadable secret, dup route").

#include <gtest/gtest.h>

#include "relay/app/config/document.h"
#include "tests/unit/app/config_fixture.h"

namespace outbox::app {
namespace {

using ::testing::TestWithParam;

TEST(ConfigTest, AMinimalConfigGetsEveryDefault) {
  const Loaded loaded = load_text(kMinimal);
  ASSERT_TRUE(loaded.config) << problems_of(kMinimal);
  const Config& config = *loaded.config;
  EXPECT_EQ(config.admin.listen, (ListenAddress{"127.0.0.1", 9187}));
  EXPECT_TRUE(config.admin.token.empty());
  ASSERT_EQ(config.sources.size(), 1u);
  const SourceConfig& source = config.source_of(config.pipelines[0]);
  EXPECT_EQ(source.url.reveal(), "postgresql://relay:canary-url@db/shop");
  EXPECT_EQ(source.slot, "outbox_shop");
  EXPECT_EQ(source.publication, "outbox_shop");
  EXPECT_EQ(source.table_schema + "." + source.table_name, "outbox.event");
  EXPECT_EQ(source.heartbeat, std::chrono::milliseconds(1000));
  EXPECT_EQ(source.mode, SourceMode::wal);
  EXPECT_EQ(config.sink_of(config.pipelines[0]).bootstrap_servers, "kafka:9092");
  ASSERT_EQ(config.pipelines[0].routes.size(), 1u);
  EXPECT_EQ(config.pipelines[0].routes[0].topic, "outbox.event.${aggregate_type}");
  EXPECT_EQ(config.pipelines[0].window_events, core::kWindowCells);
}

TEST(ConfigTest, ColumnsOfAForeignTableAreReadAndWhatIsNotNamedKeepsItsDefault) {
  const Loaded loaded = load_text(kSource + R"(table = "public.outboxevent"
columns = { aggregate_type = "aggregatetype", aggregate_id = "AggregateId", event_type = "" }
)" + kSink + kPipeline);
  ASSERT_TRUE(loaded.config);
  ColumnNames columns;
  columns.aggregate_type = "aggregatetype";
  columns.aggregate_id = "AggregateId";
  columns.event_type = "";
  EXPECT_EQ(loaded.config->sources[0].columns, columns);
}

TEST(ConfigTest, WrongColumnsAreNamedWithTheirPlace) {
  const std::string problems = problems_of(kSource + R"(mode = "poll"
columns = { aggregatetype = "a", id = "", seq = "", payload = "", payload_bytes = "" }
)" + kSink + kPipeline);
  EXPECT_NE(problems.find("relay.toml:5:13: "), std::string::npos) << problems;
  EXPECT_NE(problems.find("Did you mean \"aggregate_type\""), std::string::npos) << problems;
  EXPECT_NE(problems.find("id = \"\" in columns of [source.shop] is not a column's name"),
            std::string::npos)
      << problems;
  EXPECT_NE(problems.find("polls a table without a column for \"seq\""), std::string::npos)
      << problems;
  EXPECT_NE(problems.find("names no payload"), std::string::npos) << problems;
}

TEST(ConfigTest, EveryKeyIsRead) {
  const Loaded loaded = load_text(R"(
[admin]
listen = "[::1]:9000"
token = "${file:/run/token}"
[source.shop-eu]
type = "postgres"
url = "host=db user=relay"
mode = "poll"
slot = "s1"
publication = "Pub"
table = "sales.out"
heartbeat_ms = 0
poll_interval_ms = 7
[sink.kafka]
type = "kafka"
bootstrap_servers = "a:1,b,[::1]:9092"
properties = { "sasl.username" = "relay", "linger.ms" = 3, compression.type = "lz4", x = true }
[[pipeline]]
name = "orders"
source = "shop-eu"
sink = "kafka"
window_events = 1000
window_bytes = 1048576
drain_timeout_ms = 1500
[[pipeline.route]]
match = { aggregate_type = "order", event_type = "placed" }
topic = "placed"
on_failure = "skip"
format = "plain"
[[pipeline.route]]
topic = "placed"
)");
  ASSERT_TRUE(loaded.config);
  const Config& config = *loaded.config;
  EXPECT_EQ(config.admin.listen, (ListenAddress{"::1", 9000}));
  EXPECT_EQ(config.admin.token.reveal(), "0123456789abcdef0123");
  const SourceConfig& source = config.sources[0];
  EXPECT_EQ(source.slot, "s1");
  EXPECT_EQ(source.publication, "Pub");
  EXPECT_EQ(source.table_schema, "sales");
  EXPECT_EQ(source.table_name, "out");
  EXPECT_EQ(source.heartbeat.count(), 0);
  EXPECT_EQ(source.mode, SourceMode::poll);
  EXPECT_EQ(source.poll_interval.count(), 7);
  const auto& properties = config.sinks[0].properties;
  EXPECT_EQ(properties.at("sasl.username").reveal(), "relay");
  EXPECT_EQ(properties.at("linger.ms").reveal(), "3");
  EXPECT_EQ(properties.at("compression.type").reveal(), "lz4");
  EXPECT_EQ(properties.at("x").reveal(), "true");
  const PipelineConfig& pipeline = config.pipelines[0];
  EXPECT_EQ(pipeline.window_events, 1024u) << "a power of two";
  EXPECT_EQ(pipeline.window_bytes, 1048576u);
  EXPECT_EQ(pipeline.drain_timeout.count(), 1500);
  ASSERT_EQ(pipeline.routes.size(), 2u);
  EXPECT_EQ(pipeline.routes[0].aggregate_type, "order");
  EXPECT_EQ(pipeline.routes[0].event_type, "placed");
  EXPECT_EQ(pipeline.routes[0].on_failure, flow::OnFailure::skip);
  EXPECT_EQ(pipeline.routes[0].name, "placed");
  EXPECT_FALSE(pipeline.routes[1].aggregate_type);
  EXPECT_EQ(pipeline.routes[1].name, "placed#2") << "names label metrics, so they differ";
}

TEST(ConfigTest, TheDefaultSlotIsANameThatPostgresTakes) {
  const Loaded loaded =
      load_text("[source.Shop-EU]\ntype = \"postgres\"\nurl = \"${DATABASE_URL}\"\n" + kSink +
                "[[pipeline]]\nname = \"orders\"\nsource = \"Shop-EU\"\nsink = \"kafka\"\n");
  ASSERT_TRUE(loaded.config);
  EXPECT_EQ(loaded.config->sources[0].slot, "outbox_shop_eu");
}

TEST(ConfigTest, AllFaultsOfAFileAreShownAtOnceInItsOrder) {
  const std::string shown = problems_of(R"([admin]
tokn = "x"
[source.shop]
url = 5
slot = "A B"
heartbeat_ms = -1
[sink.kafka]
type = "kafka"
bootstrap_servers = "kafka:9092"
[[pipeline]]
name = "orders"
source = "shp"
sink = "kafka"
)");
  EXPECT_EQ(shown,
            "relay.toml:2:1: unknown key \"tokn\" in [admin]. Did you mean \"token\"?\n"
            "relay.toml:3:9: [source.shop] has no \"type\". Add type = \"postgres\".\n"
            "relay.toml:4:7: \"url\" in [source.shop] is an integer, not a string. "
            "Write url = \"${DATABASE_URL}\".\n"
            "relay.toml:5:8: slot = \"A B\" in [source.shop] is not a name that Postgres takes for "
            "a slot. 1 to 63 of a-z, 0-9 and _.\n"
            "relay.toml:6:16: heartbeat_ms = -1 in [source.shop] is out of range. It may be 0 to "
            "3600000.\n"
            "relay.toml:12:10: no source is called \"shp\". Did you mean \"shop\"?\n");
}

struct Fault {
  const char* name;
  std::string toml;
  const char* shown;
};

class ConfigFaultTest : public TestWithParam<Fault> {};

TEST_P(ConfigFaultTest, IsRefusedWithItsPlaceAndTheRemedy) {
  const std::string shown = problems_of(GetParam().toml);
  EXPECT_NE(shown.find(GetParam().shown), std::string::npos) << shown;
  EXPECT_FALSE(load_text(GetParam().toml).config);
}

const std::string kRoute = "[[pipeline.route]]\n";
const std::string kPollsByStatus =
    "type = \"postgres\"\nurl = \"postgresql://db/shop\"\nmode = \"poll\"\n"
    "columns = { status = \"status\" }\n";
const std::string kToAdmin = kMinimal + "[admin]\n";

INSTANTIATE_TEST_SUITE_P(
    Syntax, ConfigFaultTest,
    testing::Values(Fault{"NotToml", "url = postgresql://x\n", "relay.toml:1:7: not valid TOML: "},
                    Fault{"KeyTwice", "a = 1\na = 2\n", "cannot redefine existing integer 'a'"},
                    Fault{"BrokenUtf8", "a = \"\xff\"\n", "not valid TOML"},
                    Fault{"HugeNumber", "a = 99999999999999999999\n",
                          "this number does not fit into 64 bits"},
                    Fault{"TooLarge", std::string(kDocumentBytesMax + 1, '#'), "larger than 1 MiB"},
                    Fault{"Empty", "", "relay.toml: there is no pipeline, so nothing to run."}),
    [](const auto& fault) { return fault.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Keys, ConfigFaultTest,
    testing::Values(
        Fault{"UnknownSection", kMinimal + "[sorce.x]\n",
              "unknown key \"sorce\" in the config. Did you mean \"source\"?"},
        Fault{"UnknownKeyFarFromAll", kSource + "colour = 1\n" + kSink + kPipeline,
              "relay.toml:4:1: unknown key \"colour\" in [source.shop]. It may have \"type\""},
        Fault{"SectionWithoutName", "[source]\nurl = \"x\"\n" + kSink + kPipeline,
              "\"url\" stands right in [source]. Each source has a name: write [source.shop]"},
        Fault{"SourceIsNoTable", "source = 1\n", "\"source\" in the config is an integer"},
        Fault{"NoUrl", "[source.shop]\ntype = \"postgres\"\n" + kSink + kPipeline,
              "relay.toml:1:9: [source.shop] has no \"url\". Add url = \"${DATABASE_URL}\"."},
        Fault{"NoBootstrap", kSource + "[sink.kafka]\ntype = \"kafka\"\n" + kPipeline,
              "[sink.kafka] has no \"bootstrap_servers\"."},
        Fault{"UnsetVariable", "[source.shop]\ntype = \"postgres\"\nurl = \"${NOPE}\"\n",
              "relay.toml:3:7: \"url\" in [source.shop]: the environment variable NOPE is not set. "
              "Set it, or write ${file:/path}"},
        Fault{"UnreadableSecret", kToAdmin + "token = \"${file:/run/none}\"\n",
              "\"token\" in [admin]: cannot read \"/run/none\": No such file."},
        Fault{"WrongUrl", "[source.shop]\ntype = \"postgres\"\nurl = \"mysql://x\"\n",
              "\"url\" in [source.shop] is not a Postgres URL."},
        Fault{"WrongTable", kSource + "table = \"event\"\n", "is not a schema and a table."},
        Fault{"WrongServers",
              kSource + "[sink.kafka]\ntype = \"kafka\"\n"
                        "bootstrap_servers = \"kafka:99999\"\n",
              "is not a list of host:port."},
        Fault{"Listen", kToAdmin + "listen = \"example.org:80\"\n",
              "is not an address and a port."},
        Fault{"PortZero", kToAdmin + "listen = \"127.0.0.1:0\"\n", "is not an address and a port."},
        Fault{"OpenToAll", kToAdmin + "listen = \"0.0.0.0:9187\"\n",
              "can be reached from other machines, and there is no token. Add token"},
        Fault{"ShortToken", kToAdmin + "token = \"canary\"\n",
              "\"token\" in [admin] has 6 characters; it needs 16 to 1024."},
        Fault{"TokenWithSpaces", kToAdmin + "token = \"canary canary canary\"\n",
              "holds characters that no HTTP header carries."}),
    [](const auto& fault) { return fault.param.name; });

INSTANTIATE_TEST_SUITE_P(LaterReleases, ConfigFaultTest,
                         testing::Values(Fault{"Status", kSource + "mode = \"status\"\n",
                                               "mode = \"status\" comes with a later release."},
                                         Fault{"Http", "[sink.web]\ntype = \"http\"\n",
                                               "type = \"http\" comes with a later release."},
                                         Fault{"Local", "[source.shop]\ntype = \"local\"\n",
                                               "type = \"local\" comes with a later release."},
                                         Fault{"Reconcile", kMinimal + "[reconcile]\n",
                                               "\"reconcile\" in the config comes with"}),
                         [](const auto& fault) { return fault.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Together, ConfigFaultTest,
    testing::Values(
        Fault{"PipelineTwice", kMinimal + kPipeline, "two pipelines are called \"orders\""},
        Fault{"SourceTwice",
              kMinimal + "[[pipeline]]\nname = \"b\"\nsource = \"shop\"\n"
                         "sink = \"kafka\"\n",
              "the source \"shop\" already feeds the pipeline in line 7"},
        Fault{
            "StatusOfTheWal", kSource + "[source.shop.columns]\nstatus = \"x\"\n",
            "only polling by status uses the column \"x\" in columns of [source.shop]. Set mode = "
            "\"poll\"."},
        Fault{"OrderWithoutStatus",
              kSource + "mode = \"poll\"\n[source.shop.columns]\norder = \"x\"\n",
              "only polling by status uses the column \"x\" in columns of [source.shop]. Add "
              "status = "
              "\"status\" beside it."},
        Fault{"OneStatusTwoSources",
              kMinimal + "[source.a]\n" + kPollsByStatus + "[source.b]\n" + kPollsByStatus,
              "the sources \"a\" and \"b\" poll one table by status. A row has one status."},
        Fault{"ColumnTypo", kSource + "[source.shop.columns]\nagregate_id = \"a\"\n",
              "Did you mean \"aggregate_id\"?"},
        Fault{"Shards", kSource + "shards = 0\n", "shards = 0 in [source.shop] is out of range"},
        Fault{"RetentionWithoutUnit", kSource + "retention = \"7\"\n",
              "retention = \"7\" in [source.shop] is not an age. Write it as \"7d\""},
        Fault{"RetentionOfNothing", kSource + "retention = \"0d\"\n", "is not an age"},
        Fault{"RetentionWithMore", kSource + "retention = \"7 days\"\n", "is not an age"},
        Fault{"RetentionTooLong", kSource + "retention = \"99999999999w\"\n", "is not an age"},
        Fault{"SlotTwice",
              kMinimal + "[source.b]\ntype = \"postgres\"\n"
                         "url = \"postgresql://other@db/elsewhere\"\n"
                         "slot = \"outbox_shop\"\n",
              "the sources \"shop\" and \"b\" share the slot \"outbox_shop\" on one server."},
        Fault{"NoSuchSink", kSource + kPipeline, "no sink is called \"kafka\". Add a section"},
        Fault{"SameRoute",
              kMinimal + kRoute + "match = { event_type = \"a\" }\ntopic = \"a\"\n" + kRoute +
                  "match = { event_type = \"a\" }\ntopic = \"b\"\n",
              "this route matches the same events as the one in line 11. First match wins"},
        Fault{"UnreachableRoute",
              kMinimal + kRoute + "topic = \"a\"\n" + kRoute +
                  "match = { event_type = \"a\" }\ntopic = \"b\"\n",
              "this route is never reached: the one in line 11 takes all its events."},
        Fault{"PipelineName",
              kSource + kSink +
                  "[[pipeline]]\nname = \"a b\"\nsource = \"shop\"\n"
                  "sink = \"kafka\"\n",
              "the name in [[pipeline]] cannot be used."}),
    [](const auto& fault) { return fault.param.name; });

TEST(ConfigTest, RetentionIsAnAgeAndNoneByDefault) {
  const auto read = [](const std::string& line) {
    const Loaded loaded = parse_config(
        kSource + line + kSink + kPipeline, "relay.toml",
        settings_with({{"DATABASE_URL", "postgresql://db"}, {"KAFKA_BOOTSTRAP", "kafka:9092"}}));
    return loaded.config ? loaded.config->sources[0].retention : std::chrono::seconds(-1);
  };
  EXPECT_EQ(read(""), std::chrono::seconds(0));
  EXPECT_EQ(read("retention = \"90s\"\n"), std::chrono::seconds(90));
  EXPECT_EQ(read("retention = \"15m\"\n"), std::chrono::minutes(15));
  EXPECT_EQ(read("retention = \"36h\"\n"), std::chrono::hours(36));
  EXPECT_EQ(read("retention = \"7d\"\n"), std::chrono::hours(168));
  EXPECT_EQ(read("retention = \"2w\"\n"), std::chrono::hours(336));
}

TEST(ConfigTest, AStatusColumnMakesAPollerOneThatMarks) {
  const std::string source =
      "[source.shop]\ntype = \"postgres\"\nurl = \"postgresql://db\"\nmode = \"poll\"\n"
      "table = \"public.outbox\"\nshards = 4\n";
  const Loaded loaded =
      parse_config(source + "columns = { status = \"state\", order = \"n\", id = \"event\" }\n" +
                       kSink + kPipeline,
                   "relay.toml", settings_with({{"KAFKA_BOOTSTRAP", "kafka:9092"}}));
  ASSERT_TRUE(loaded.config.has_value());
  const SourceConfig& read = loaded.config->sources[0];
  EXPECT_EQ(read.mode, SourceMode::status);
  EXPECT_EQ(read.shards, 4u);
  ColumnNames columns;
  columns.status = "state";
  columns.order = "n";
  columns.id = "event";
  EXPECT_EQ(read.columns, columns);
}

TEST(ConfigTest, OneSlotNameOnTwoServersIsFine) {
  const std::string toml = kMinimal +
                           "[source.b]\ntype = \"postgres\"\nurl = \"postgresql://db2/shop\"\n"
                           "slot = \"outbox_shop\"\n";
  EXPECT_EQ(problems_of(toml), "");
}

TEST(ConfigTest, ALoopbackAddressNeedsNoToken) {
  for (const char* listen : {"127.0.0.1:1", "127.9.9.9:65535", "[::1]:80", "localhost:9187"}) {
    EXPECT_EQ(problems_of(kToAdmin + "listen = \"" + listen + "\"\n"), "") << listen;
  }
}

TEST(ConfigTest, AnOpenAddressWithATokenIsFine) {
  EXPECT_EQ(problems_of(kToAdmin + "listen = \"0.0.0.0:1\"\ntoken = \"${file:/run/token}\"\n"), "");
}

TEST(ConfigTest, PropertiesAreJudgedByTheSinkAndTheirValuesNeverShown) {
  const auto check = [](const std::map<std::string, std::string>& properties) {
    std::vector<PropertyFault> faults;
    for (const auto& [name, value] : properties) {
      faults.push_back({name, "Invalid value \"" + value + "\"", "Not " + value + "."});
    }
    return faults;
  };
  const std::string toml =
      kSource + kSink + "properties = { \"sasl.password\" = \"canary-1\" }\n" + kPipeline;
  const Loaded loaded = parse_config(
      toml, "relay.toml",
      settings_with({{"DATABASE_URL", "postgresql://x"}, {"KAFKA_BOOTSTRAP", "kafka:9092"}},
                    check));
  ASSERT_EQ(loaded.problems.size(), 1u);
  EXPECT_EQ(to_string("relay.toml", loaded.problems[0]),
            "relay.toml:7:34: property \"sasl.password\" in [sink.kafka]: Invalid value \"***\". "
            "Not ***.");
}

TEST(ConfigTest, NoProblemShowsAValueThatWasFilledIn) {
  const auto settings = settings_with({{"CANARY", "canary value!"}, {"B", "b"}});
  std::string toml = "[admin]\nlisten = \"${CANARY}\"\ntoken = \"${CANARY}\"\n[source.shop]\n";
  for (const char* key : {"type", "url", "mode", "slot", "publication", "table", "heartbeat_ms"}) {
    toml += std::string(key) + " = \"${CANARY}\"\n";
  }
  toml +=
      "[sink.kafka]\ntype = \"${CANARY}\"\nbootstrap_servers = \"${CANARY}\"\n"
      "[[pipeline]]\nname = \"${CANARY}\"\n[[pipeline.route]]\ntopic = \"${CANARY}\"\n"
      "on_failure = \"${CANARY}\"\nformat = \"${CANARY}\"\n";
  const Loaded loaded = parse_config(toml, "relay.toml", settings);
  EXPECT_GE(loaded.problems.size(), 14u);
  for (const Problem& problem : loaded.problems) {
    EXPECT_EQ(to_string("f", problem).find("canary value"), std::string::npos)
        << to_string("f", problem);
  }
}

TEST(ConfigTest, AProblemStaysOneLineWhateverIsInTheFile) {
  const std::string shown = problems_of(kMinimal + "\"a\\nb\\u001b[31m\" = 1\n");
  EXPECT_EQ(std::count(shown.begin(), shown.end(), '\n'), 1) << shown;
  EXPECT_EQ(shown.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace outbox::app
