#include "relay/app/version.h"

namespace outbox::app {

std::string_view version() { return OUTBOX_VERSION; }

}  // namespace outbox::app
