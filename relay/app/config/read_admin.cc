#include <algorithm>

#include "relay/app/config/listen_address.h"
#include "relay/app/config/sections.h"

namespace outbox::app {
namespace {

constexpr size_t kTokenCharactersMin = 16;
constexpr size_t kTokenCharactersMax = 1024;

void check_token(const Text& token, LoadContext& context) {
  const std::string& value = token.value;
  const bool visible =
      std::all_of(value.begin(), value.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (!visible) {
    context.note(token.place, "\"token\" in [admin] holds characters that no HTTP header carries",
                 "Use letters, digits and -._~+/= only.");
  } else if (value.size() < kTokenCharactersMin || value.size() > kTokenCharactersMax) {
    context.note(token.place,
                 "\"token\" in [admin] has " + std::to_string(value.size()) +
                     " characters; it needs 16 to 1024",
                 "Make one with: openssl rand -hex 32");
  }
}

}  // namespace

AdminConfig read_admin(const Entry& section, LoadContext& context) {
  TableReader reader(section.value, section.place, "[admin]", context);
  AdminConfig admin;
  const auto listen = reader.text("listen", Presence::optional, "\"127.0.0.1:9187\"");
  const auto token = reader.text("token", Presence::optional, "\"${file:/run/secrets/admin}\"");
  reader.later({"tls_certificate", "tls_key", "tls_client_ca", "audit"});
  reader.finish();

  if (token) {
    check_token(*token, context);
    admin.token = Secret(token->value);
  }
  if (!listen) return admin;
  const auto address = parse_listen_address(listen->value);
  if (!address) {
    context.note(listen->place,
                 "listen = " + quoted(listen->shown) + " in [admin] is not an address and a port",
                 "Write an IP address, as in \"127.0.0.1:9187\" or \"[::1]:9187\".");
    return admin;
  }
  admin.listen = *address;
  const bool token_written = section.value.find("token") != nullptr;
  if (!is_loopback(admin.listen) && !token_written) {
    context.note(listen->place,
                 "listen = " + quoted(listen->shown) +
                     " in [admin] can be reached from other machines, and there is no token",
                 "Add token = \"${file:/path}\", or listen on 127.0.0.1.");
  }
  return admin;
}

}  // namespace outbox::app
