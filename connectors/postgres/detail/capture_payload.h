#pragma once
// The payload of a captured event, as JSON:
//
//   {"operation":"update","table":"shop.orders","before":null,"after":{"id":1,"doc":{"a": 1}},
//    "unchanged":["photo"]}
//
// bool, numbers, json and jsonb stand as themselves (NaN and the infinities as strings), every
// other type as a string of its text form. `unchanged` is there when columns are missing in `after`
// because Postgres did not send their values. `before` of a delete has the columns of the replica
// identity. Pure.

#include <cstddef>
#include <span>
#include <string>

#include "connectors/postgres/detail/capture_table.h"

namespace outbox::postgres {

JsonForm json_form(uint32_t type);

/// "name" as it stands before a value: `"name":`.
std::string json_member(std::string_view name);

size_t payload_bytes(const CapturedEvent& event, const CaptureTable& table);

/// Writes just payload_bytes(event, table) to `to`.
void write_payload(const CapturedEvent& event, const CaptureTable& table, char* to);

}  // namespace outbox::postgres
