#pragma once
// Wiring: the one place that knows concrete connectors. Turns a checked config into the parts of a
// pipeline, and gives the commands what they need from the connectors.

#include "relay/app/config/config.h"
#include "relay/app/wired.h"

namespace outbox::app {

Wired wire();

}  // namespace outbox::app
