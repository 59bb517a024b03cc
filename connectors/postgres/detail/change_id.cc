#include "connectors/postgres/detail/change_id.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "relay/core/assert.h"

namespace outbox::postgres {
namespace {

// Another layout of what is hashed needs another name here.
constexpr std::string_view kLayout = "outbox.capture.1";

void put(uint64_t number, int bytes, std::string& out) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(number >> shift));
  }
}

}  // namespace

core::Uuid change_id(const ChangePlace& place) {
  std::string text(kLayout);
  put(place.system_id.size(), 1, text);
  text += place.system_id;
  put(place.timeline, 4, text);
  put(place.lsn.value, 8, text);
  put(place.row, 4, text);
  put(place.half, 1, text);

  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  const int hashed =
      EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  OUTBOX_ASSERT(hashed == 1 && size >= sizeof(core::Uuid));
  core::Uuid id;
  std::copy_n(digest.begin(), id.bytes.size(), id.bytes.begin());
  id.bytes[6] = static_cast<unsigned char>((id.bytes[6] & 0x0f) | 0x80);  // version 8
  id.bytes[8] = static_cast<unsigned char>((id.bytes[8] & 0x3f) | 0x80);  // variant of RFC 9562
  return id;
}

}  // namespace outbox::postgres
