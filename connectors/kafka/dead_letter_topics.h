#pragma once
// Which topic a dead letter goes to, what that topic must be able to take, and the command that
// makes it. The relay makes these topics itself where it may, and no other.

#include <string>
#include <vector>

#include "connectors/kafka/admin.h"
#include "connectors/kafka/properties.h"
#include "connectors/kafka/topic_watch.h"
#include "relay/core/limits.h"
#include "relay/core/result.h"
#include "relay/core/sink.h"

namespace outbox::kafka {

inline constexpr std::string_view kDeadLetterSuffix = ".dead-letter";

/// An existing dead-letter topic must take the largest row that the schema allows.
inline constexpr size_t kDeadLetterRecordBytesMin =
    core::kPayloadBytesMax + core::kHeadersBytesMax + 64 * 1024;

/// `<topic>.dead-letter`, or `<pipeline>.dead-letter` when the destination is none that can be
/// used.
std::string dead_letter_topic(const core::Destination* destination, const std::string& pipeline);

/// How a missing one is made: one partition, so that dead letters keep their order.
MakeTopic make_dead_letter_topic();

/// Why the topic cannot hold dead letters, with the command that mends it; nullopt when it can.
/// `facts.answer` is found, missing or denied.
std::optional<core::Error> dead_letter_fault(const TopicFacts& facts,
                                             const std::string& bootstrap_servers);

/// At the start of `outbox run`, in a thread that may wait: makes or checks the dead-letter topics
/// of these routed topics and of the pipeline. Unreachable brokers are an Error with fault `retry`;
/// what a person must mend is `fatal`, all of it in one.
core::Result<void> prepare_dead_letters(const ClientOptions& options, const std::string& pipeline,
                                        const std::vector<std::string>& topics,
                                        std::chrono::milliseconds timeout);

}  // namespace outbox::kafka
