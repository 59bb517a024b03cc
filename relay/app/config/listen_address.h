#pragma once
// Reads "127.0.0.1:9187" and "[::1]:9187". Host names are not looked up (but for "localhost"): what
// an address reaches must be plain from the config.

#include <optional>
#include <string>
#include <string_view>

#include "relay/app/config/config.h"

namespace outbox::app {

std::optional<ListenAddress> parse_listen_address(std::string_view text);

/// Whether only this machine can reach it: 127.0.0.0/8 and ::1.
bool is_loopback(const ListenAddress& address);

/// "127.0.0.1:9187", "[::1]:9187".
std::string to_string(const ListenAddress& address);

/// A decimal port from 1 to 65535.
std::optional<uint16_t> parse_port(std::string_view text);

}  // namespace outbox::app
