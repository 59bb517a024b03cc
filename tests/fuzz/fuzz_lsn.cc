// An LSN's text: what is taken is printed and read as the same number.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "relay/core/assert.h"
#include "relay/core/lsn.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace outbox;
  const auto lsn = core::parse_lsn({reinterpret_cast<const char*>(data), size});
  if (lsn) OUTBOX_ASSERT(core::parse_lsn(core::to_string(*lsn)) == lsn);
  return 0;
}
