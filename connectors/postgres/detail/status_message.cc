#include "connectors/postgres/detail/status_message.h"

namespace outbox::postgres {
namespace {

constexpr int64_t kPostgresEpochUs = 946'684'800'000'000;

char* put(char* at, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) *at++ = static_cast<char>(value >> shift);
  return at;
}

}  // namespace

StatusMessage status_message(core::Lsn written, core::Lsn flushed, core::WallTime clock,
                             bool reply_wanted) {
  StatusMessage message;
  char* at = message.data();
  *at++ = 'r';
  at = put(at, written.value);
  at = put(at, flushed.value);
  at = put(at, flushed.value);
  at = put(at, static_cast<uint64_t>(clock.us - kPostgresEpochUs));
  *at = reply_wanted ? 1 : 0;
  return message;
}

}  // namespace outbox::postgres
