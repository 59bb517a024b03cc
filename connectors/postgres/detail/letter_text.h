#pragma once
// An event's headers and further columns as outbox.dead_letter keeps them: JSON objects that people
// can read, and from which the same event is made again. Pure.
//
//   headers  {"name": "value", "other": null}
//   extras   {"column": "<kind>=<text>", "when": "time=<us since 1970>=<text>", "none": "<kind>"};
//            without "=" it is NULL, and a column that there is not is left out

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/postgres/options.h"
#include "relay/core/event.h"

namespace outbox::postgres {

std::string headers_text(std::span<const core::Header> headers);

/// `columns` are those that the source was told of, in its order.
std::string extras_text(const std::vector<ExtraColumn>& columns,
                        std::span<const core::Extra> extras);

/// How the table calls what a payload is, and why headers cannot be used (empty: they can).
std::string_view payload_kind_text(core::PayloadKind kind);
std::string_view headers_fault_text(core::HeadersFault fault);

/// What extras_text() wrote for one column; nullopt: nothing that it writes. Views into `text`.
std::optional<core::Extra> read_extra(std::string_view text);

}  // namespace outbox::postgres
