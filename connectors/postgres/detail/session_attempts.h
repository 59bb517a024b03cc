#pragma once
// SessionAttempts: how a source comes to its session and, after a loss, to the next one. An attempt
// runs in a worker thread; one that failed is repeated after a delay (reconnect_delay.h) until it
// succeeds or its error cannot heal.
//
// Owner: the source. Thread: the pipeline's. Destroying it calls a running attempt off.
//
// `SessionT` has `identity` and `epoch`. The first session's are held from then on, and each later
// attempt is told them: it checks that nobody took the pipeline over meanwhile.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "connectors/postgres/detail/reconnect_delay.h"
#include "connectors/postgres/detail/session.h"
#include "relay/core/health.h"

namespace outbox::postgres {

template <typename SessionT>
class SessionAttempts {
 public:
  using Start = core::Result<SessionT> (*)(const SessionRequest&, Phase&, const Waiter&);

  SessionAttempts(PostgresOptions options, Start start)
      : start_(start),
        reconnect_delay_(options.jitter_seed),
        request_{std::move(options), std::nullopt, 0} {}

  /// Starts an attempt when one is due; called while there is no session. Brings the session once
  /// it is there, and of errors only one that cannot heal.
  core::Result<std::optional<SessionT>> poll(core::Now now) {
    if (!worker_.running()) {
      if (now.instant < retry_at_) return std::optional<SessionT>();
      worker_.start([this, request = request_](const Waiter& waiter) {
        return start_(request, phase_, waiter);
      });
    }
    std::optional<core::Result<SessionT>> done = worker_.take();
    if (!done) return std::optional<SessionT>();
    if (!*done) {
      if (const core::Result<void> failed = this->failed((*done).error(), now); !failed) {
        return failed.error();
      }
      return std::optional<SessionT>();
    }
    SessionT session = std::move(**done);
    request_.suspect = 0;
    if (std::exchange(had_session_, true)) ++reconnects_;
    hold(session.identity, session.epoch);
    reason_.clear();
    return std::optional<SessionT>(std::move(session));
  }

  /// This process has the pipeline: from a session on, or from a job's word that it will.
  void hold(const ServerIdentity& identity, uint64_t epoch) {
    request_.held = SessionRequest::Held{identity, epoch, {}, {}, 0};
  }

  /// Jobs offer it what polling needs while they wait for a slot.
  void offer_to(std::shared_ptr<SlotWait> slot_wait) { request_.slot_wait = std::move(slot_wait); }

  /// There is no session because of `error`: handed back if it cannot heal, tried again otherwise.
  core::Result<void> failed(const core::Error& error, core::Now now) {
    reason_ = core::to_string(error);
    if (error.fault == core::Fault::fatal) return error;
    retry_at_ = now.instant + reconnect_delay_.after_failure(trouble_of(error.code));
    return {};
  }

  /// A session that had lived `lived` was lost.
  void lost(std::string why, core::Duration lived, core::Now now) {
    reason_ = std::move(why);
    retry_at_ = now.instant + reconnect_delay_.after_loss(lived);
  }

  /// What was handed out so far, for the next session to compare with the server's history.
  void handed_out(core::Lsn up_to, core::Lsn last_event) {
    if (!request_.held) return;
    request_.held->handed = up_to;
    request_.held->last_event = last_event;
  }

  void handed_out(uint64_t up_to_seq) {
    if (request_.held) request_.held->handed_seq = up_to_seq;
  }

  /// The next session is to look this relation up (SessionRequest).
  void look_up(uint32_t suspect) { request_.suspect = suspect; }

  /// Zero until the first session.
  uint64_t epoch() const { return request_.held ? request_.held->epoch : 0; }
  uint64_t reconnects() const { return reconnects_; }
  const std::string& reason() const { return reason_; }

  /// A job is under way, and what it is at.
  bool running() const { return worker_.running(); }
  std::string phase() const { return phase_.get(); }

  /// The two below: while there is no session.
  core::Interest interest() const {
    core::Interest interest;
    if (worker_.running()) {
      interest.fd = worker_.fd();
    } else {
      interest.wake_at = retry_at_;
    }
    return interest;
  }

  core::Health health() const {
    const bool again = request_.held || !reason_.empty();
    const std::string phase = worker_.running() ? phase_.get() : "";
    return {again ? core::HealthState::waiting : core::HealthState::starting,
            reason_.empty() ? phase : reason_};
  }

 private:
  Start start_;
  ReconnectDelay reconnect_delay_;
  SessionRequest request_;
  std::string reason_;  // why there is no session
  core::Instant retry_at_{};
  bool had_session_ = false;
  uint64_t reconnects_ = 0;
  Phase phase_;  // before worker_, whose job writes it
  Background<core::Result<SessionT>> worker_;
};

}  // namespace outbox::postgres
