#pragma once
// HeadersParser: an outbox row's `headers` (a JSON object) as names and values.
//
//   string            the string, unescaped
//   null              no value (Kafka's null header value)
//   number, boolean   its JSON text, verbatim: 40 digits stay 40 digits
//   object, array     its JSON text
//
// A name that comes twice keeps its last value, as jsonb does. Not an object, broken JSON or more
// than kHeadersMax names is a HeadersFault: the event is intact and the Router refuses it.
//
// One parser serves one thread and reuses its memory.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "relay/core/event.h"

namespace outbox::postgres {

/// What outbox.publish allows, too.
inline constexpr size_t kHeadersMax = 100;

class HeadersParser {
 public:
  HeadersParser();
  ~HeadersParser();
  HeadersParser(const HeadersParser&) = delete;
  HeadersParser& operator=(const HeadersParser&) = delete;

  /// Valid until the next call; on a fault headers() is empty.
  core::HeadersFault parse(std::string_view json);

  std::span<const core::Header> headers() const { return headers_; }

  /// Bytes of all names and values.
  size_t text_bytes() const;

 private:
  class Json;

  core::HeadersFault parse_object(std::string_view json);
  void put(const core::Header& header);

  std::unique_ptr<Json> json_;
  std::vector<core::Header> headers_;
};

}  // namespace outbox::postgres
