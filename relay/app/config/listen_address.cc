#include "relay/app/config/listen_address.h"

#include <arpa/inet.h>

#include <charconv>

namespace outbox::app {
namespace {

bool is_ipv4(const std::string& host) {
  in_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1;
}

bool is_ipv6(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

}  // namespace

std::optional<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || stop != end || port == 0) return std::nullopt;
  return port;
}

std::optional<ListenAddress> parse_listen_address(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::optional<uint16_t> port = parse_port(text.substr(colon + 1));
  if (!port) return std::nullopt;

  const std::string_view host = text.substr(0, colon);
  if (host == "localhost") return ListenAddress{"127.0.0.1", *port};
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    const std::string inner(host.substr(1, host.size() - 2));
    if (!is_ipv6(inner)) return std::nullopt;
    return ListenAddress{inner, *port};
  }
  if (!is_ipv4(std::string(host))) return std::nullopt;
  return ListenAddress{std::string(host), *port};
}

bool is_loopback(const ListenAddress& address) {
  in_addr v4{};
  if (inet_pton(AF_INET, address.host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, address.host.c_str(), &v6) == 1 &&
         IN6_IS_ADDR_LOOPBACK(&v6);  // NOLINT: the macro's own casts
}

std::string to_string(const ListenAddress& address) {
  const std::string port = std::to_string(address.port);
  if (address.host.find(':') == std::string::npos) return address.host + ':' + port;
  return '[' + address.host + "]:" + port;
}

}  // namespace outbox::app
