#include "relay/flow/retry.h"

#include <utility>

namespace outbox::flow {

void Retry::failed(core::Instant now, std::string reason) {
  if (!waits_at(now)) until_ = now + backoff_.after_failure();
  reason_ = std::move(reason);
}

void Retry::succeeded(core::Instant now) {
  if (waits_at(now)) return;
  backoff_.succeeded();
  reason_.clear();
}

}  // namespace outbox::flow
