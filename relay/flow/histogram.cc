#include "relay/flow/histogram.h"

#include <algorithm>

namespace outbox::flow {

void LatencyHistogram::record(int64_t latency_us) {
  const int64_t latency = std::max<int64_t>(latency_us, 0);
  const auto bound = std::lower_bound(kBoundsUs.begin(), kBoundsUs.end(), latency);
  ++counts_[static_cast<size_t>(bound - kBoundsUs.begin())];
  ++count_;
  sum_us_ += latency;
}

}  // namespace outbox::flow
