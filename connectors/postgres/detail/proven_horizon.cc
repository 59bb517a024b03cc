#include "connectors/postgres/detail/proven_horizon.h"

namespace outbox::postgres {

void ProvenHorizon::begin() {
  horizon_.begin(proven_.value_or(0));
  claim_.reset();
}

void ProvenHorizon::looked(const Look& look) {
  const uint64_t seq = horizon_.observe(look.last_value, look.holders);
  if (!claim_) claim_ = Claim{seq, look.inserted};
}

std::optional<uint64_t> ProvenHorizon::prove(core::Lsn settled) {
  if (claim_ && settled >= claim_->lsn) {
    proven_ = claim_->seq;
    claim_.reset();
  }
  return proven_;
}

}  // namespace outbox::postgres
