// libpq's text of a failed connect, which ends with whatever the server said.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "connectors/postgres/detail/sqlstate.h"
#include "relay/core/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace outbox::postgres;
  const auto failure = read_connect_failure({reinterpret_cast<const char*>(data), size});
  OUTBOX_ASSERT(failure.sqlstate.size() == 5);
  OUTBOX_ASSERT(failure.text.find('\n') == std::string::npos);
  trouble_of(failure.sqlstate);
  return 0;
}
