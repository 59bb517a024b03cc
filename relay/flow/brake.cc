#include "relay/flow/brake.h"

namespace outbox::flow {

bool Brake::refused() {
  ++seen_;
  if (options_.window_events == 0) return true;
  if (engaged_) return false;
  if (refused_at_.size() < options_.refused_max) {
    refused_at_.push_back(seen_);
    return true;
  }
  if (refused_at_.empty() || seen_ - refused_at_[oldest_] < options_.window_events) {
    engaged_ = true;
    return false;
  }
  refused_at_[oldest_] = seen_;
  oldest_ = (oldest_ + 1) % refused_at_.size();
  return true;
}

}  // namespace outbox::flow
