#pragma once
// What the tests of this folder share: a database each, and short words for writing events into it.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/conformance/source/relay_end.h"
#include "tests/conformance/source/server.h"

namespace outbox::conformance {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Texts = std::vector<std::string>;

inline std::string publish(const std::string& type, const std::string& key = "k") {
  return "select outbox.publish('order', '" + key + "', '" + type + "', '{\"a\": 1}'::jsonb);";
}

class SourceTest : public testing::Test {
 protected:
  /// Makes publication, slot and progress, as a pipeline's first start does, and goes away.
  void first_start() {
    RelayEnd relay(database_);
    ASSERT_TRUE(relay.connect()) << relay.error_text() << relay.reason();
    relay.close();
  }

  core::Lsn confirmed_flush(const RelayEnd& relay) {
    return core::parse_lsn(sql_.value("select confirmed_flush_lsn from pg_replication_slots"
                                      " where slot_name = '" +
                                      relay.options().slot + "'"))
        .value_or(core::Lsn{});
  }

  bool contains(const Texts& texts, const std::string& text) const {
    return std::find(texts.begin(), texts.end(), text) != texts.end();
  }

  Database database_;
  Sql sql_{database_.url()};
};

}  // namespace outbox::conformance
