#pragma once
// The sentence that a dead letter or a retry carries as its cause: what was refused, by which
// topic, with the numbers.

#include <string>

#include "connectors/kafka/admin.h"
#include "connectors/kafka/conveyor.h"

namespace outbox::kafka {

std::string describe_refusal(const Refused& refused, const TopicFacts& topic);

}  // namespace outbox::kafka
