#pragma once
// Dead letters and replay jobs as JSON, each in one line.

#include <string>

#include "relay/core/letters.h"

namespace outbox::app {

std::string json_of(const core::LetterGroup& group);
/// With its content as far as it was read: a payload that is UTF-8 as text, any other as base64,
/// and `payload_encoding` says which.
std::string json_of(const core::Letter& letter);
std::string json_of(const core::Letter& letter, const core::LetterHistory& history);
std::string json_of(const core::ReplayJob& job);

}  // namespace outbox::app
