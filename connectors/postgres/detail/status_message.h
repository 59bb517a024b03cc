#pragma once
// The standby status message, which a reader of a walsender sends inside CopyData:
//
//   r  u64 written  u64 flushed  u64 applied  u64 clock (us since 2000-01-01)  u8 reply_wanted
//
// `flushed` is what the slot may forget up to. Zero means: nothing yet, the slot stays as it is.

#include <array>
#include <cstdint>

#include "relay/core/clock.h"
#include "relay/core/lsn.h"

namespace outbox::postgres {

using StatusMessage = std::array<char, 1 + 8 + 8 + 8 + 8 + 1>;

StatusMessage status_message(core::Lsn written, core::Lsn flushed, core::WallTime clock,
                             bool reply_wanted);

}  // namespace outbox::postgres
