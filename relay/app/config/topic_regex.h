#pragma once
// Topics as Connect's RegexRouter names them: a Java regular expression over the aggregate type and
// a replacement with groups. PCRE2 takes the same syntax but for a few rare constructs.
//
//   - An aggregate type that the expression does not match as a whole is the topic itself.
//   - Otherwise the first match is replaced: $1 and ${name} are its groups, \ takes the next
//     character as it is. A group that took no part is empty.
//   - Matching is bounded: where the expression would go on for ever, or the aggregate type has
//   more
//     than 4,096 bytes, the topic is empty, and the event is refused as ILLEGAL_TOPIC.

#include <string>

#include "relay/core/result.h"
#include "relay/flow/router.h"

namespace outbox::app {

/// An Error has code REGEX or REPLACEMENT, `detail` and `hint`.
core::Result<flow::TopicRule> make_topic_rule(const std::string& regex,
                                              const std::string& replacement);

}  // namespace outbox::app
