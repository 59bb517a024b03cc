#pragma once
// Partitions of outbox.event: made far ahead, and removed once retention has emptied them. Neither
// ever makes an insert wait: ATTACH and DETACH CONCURRENTLY take no lock that inserts meet.
//
// Thread: any; each call opens a connection of its own, waits for it, and closes it. Errors: as in
// migrate.h.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "relay/core/result.h"

namespace outbox::schema {

struct PartitionStatus {
  bool known = false;         // the schema has what is asked here
  int64_t numbers_left = 0;   // that events may still get before a partition is missing
  int64_t removed_below = 1;  // retention removed the rows with lower numbers
  int emptied = 0;            // partitions that wait to be dropped
};

/// Reads only.
core::Result<PartitionStatus> partition_status(const std::string& url);

struct Upkeep {
  int made = 0;
  std::vector<std::string> dropped;
  /// What could not be done now and will be with the next call, in words.
  std::string waits;
};

/// Makes what is missing to a billion numbers ahead, and drops emptied partitions, each after a
/// DETACH CONCURRENTLY. Such a DETACH waits for every open transaction that touched outbox.event,
/// at most `lock_timeout`; one that gave up is completed by the next call.
core::Result<Upkeep> keep_partitions(const std::string& url,
                                     std::chrono::milliseconds lock_timeout);

}  // namespace outbox::schema
