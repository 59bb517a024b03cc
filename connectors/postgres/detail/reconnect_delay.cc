#include "connectors/postgres/detail/reconnect_delay.h"

#include <algorithm>

namespace outbox::postgres {

core::Duration ReconnectDelay::after_failure(Trouble trouble) {
  const core::Duration limit = backoff_.limit();
  const core::Duration drawn = backoff_.after_failure();
  switch (trouble) {
    case Trouble::access:
      return kAccessDelay +
             core::Duration(static_cast<int64_t>(random_.below(kAccessSpread.count())));
    case Trouble::slot_active:
      return std::min(kSlotDelay, limit * 4);  // its last holder may be ending at this moment
    default:
      return drawn;
  }
}

core::Duration ReconnectDelay::after_loss(core::Duration lived) {
  if (lived < kHealthyAfter) return after_failure(Trouble::passing);
  backoff_.succeeded();
  return core::Duration::zero();
}

}  // namespace outbox::postgres
