#pragma once
// A server on which nothing is wrong; tests of judgements spoil one thing at a time.

#include "connectors/postgres/detail/server_facts.h"
#include "connectors/postgres/options.h"

namespace outbox::postgres {

inline PostgresOptions options() {
  PostgresOptions options;
  options.pipeline = "orders";
  options.slot = "outbox_shop";
  options.publication = "outbox_shop";
  return options;
}

inline ServerFacts good_server() {
  ServerFacts facts;
  facts.version = 150018;
  facts.database = "shop";
  facts.user = "relay";
  facts.may_replicate = true;
  facts.may_create_publication = true;
  facts.publication_owner = "outbox_owner";
  facts.wal_level = "logical";
  facts.synchronous_commit = "on";
  facts.max_slot_wal_keep_mb = 50'000;
  facts.slots = {5, 10};
  facts.walsenders = {5, 10};
  facts.progress_table = ProgressTable::usable;
  facts.table = TableFacts{.oid = 16400,
                           .partitioned = true,
                           .may_select = true,
                           .payload_size_checked = true,
                           .sequence = "outbox.event_seq",
                           .sequence_readable = true,
                           .seq_by_default = true,
                           .columns = {{"seq", "bigint", 20, false, true},
                                       {"id", "uuid", 2950, false, true},
                                       {"aggregate_type", "text", 25, false, true},
                                       {"aggregate_id", "text", 25, false, false},
                                       {"event_type", "text", 25, false, true},
                                       {"payload", "jsonb", 3802, false, false}}};
  facts.publication =
      PublicationFacts{.oid = 5, .has_table = true, .inserts = true, .via_root = true};
  facts.slot.emplace();
  facts.slot->plugin = "pgoutput";
  facts.slot->database = "shop";
  facts.slot->wal_status = "reserved";
  facts.slot->confirmed_flush = core::Lsn{1000};
  return facts;
}

}  // namespace outbox::postgres
