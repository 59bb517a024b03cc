#pragma once
// What a SQLSTATE means for an event that a projection writes: the one table that decides it. Pure.

#include <cstdint>
#include <string_view>

namespace outbox::postgres {

enum class Refusal : uint8_t {
  of_the_event,   // this event is refused and would be again: a dead letter
  of_the_moment,  // it may work later (a deadlock, a lock): the event is tried again
  of_all,         // no event can be written (the table is gone, the server stops): all wait
};

Refusal refusal_of(std::string_view sqlstate);

}  // namespace outbox::postgres
