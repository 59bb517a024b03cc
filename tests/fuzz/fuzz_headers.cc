// An outbox row's headers: any bytes, where Postgres would send JSON.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "connectors/postgres/detail/headers_parser.h"
#include "relay/core/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace outbox;
  static postgres::HeadersParser parser;
  const auto fault = parser.parse({reinterpret_cast<const char*>(data), size});
  const auto headers = parser.headers();
  OUTBOX_ASSERT(headers.size() <= postgres::kHeadersMax);
  OUTBOX_ASSERT(fault == core::HeadersFault::none || headers.empty());
  for (size_t i = 0; i < headers.size(); ++i) {
    for (size_t j = 0; j < i; ++j) OUTBOX_ASSERT(headers[i].name != headers[j].name);
  }
  return 0;
}
