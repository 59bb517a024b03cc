#pragma once
// Bugs that the simulation must catch, each switched on by one build flag and used in one line of
// flow. Every flag is absent from what ships; tests/sim builds one simulator per flag. A check that
// cannot fail proves nothing.

namespace outbox::flow {

#ifdef OUTBOX_PLANT_CONFIRM_BEFORE_DURABLE
inline constexpr bool kPlantConfirmBeforeDurable = true;
#else
inline constexpr bool kPlantConfirmBeforeDurable = false;
#endif

#ifdef OUTBOX_PLANT_HIGHEST_ACKNOWLEDGEMENT
inline constexpr bool kPlantHighestAcknowledgement = true;
#else
inline constexpr bool kPlantHighestAcknowledgement = false;
#endif

#ifdef OUTBOX_PLANT_FORGET_ON_REJECTED_BATCH
inline constexpr bool kPlantForgetOnRejectedBatch = true;
#else
inline constexpr bool kPlantForgetOnRejectedBatch = false;
#endif

#ifdef OUTBOX_PLANT_KEEPALIVE_PASSES_EVENTS
inline constexpr bool kPlantKeepalivePassesEvents = true;
#else
inline constexpr bool kPlantKeepalivePassesEvents = false;
#endif

}  // namespace outbox::flow
