#pragma once
// ByteCursor: reads big-endian numbers and strings out of bytes that somebody else sent. Every read
// is bounds-checked; the first read that does not fit makes the cursor fail for good, moves it to
// the end and returns zero or an empty view, so a decoder reads a whole message and looks at ok()
// once.
//
// Views point into the bytes given; the cursor owns nothing.

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace outbox::postgres {

class ByteCursor {
 public:
  explicit ByteCursor(std::string_view bytes)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ok() const { return ok_; }
  size_t left() const { return static_cast<size_t>(end_ - at_); }
  bool at_end() const { return ok_ && at_ == end_; }

  uint8_t u8() { return number<uint8_t>(); }
  uint16_t u16() { return number<uint16_t>(); }
  uint32_t u32() { return number<uint32_t>(); }
  uint64_t u64() { return number<uint64_t>(); }
  char character() { return static_cast<char>(u8()); }

  std::string_view bytes(size_t size) {
    if (size > left()) return fail();
    const std::string_view view(at_, size);
    at_ += size;
    return view;
  }

  /// A string that ends with a zero byte, without it.
  std::string_view c_string() {
    const void* zero = left() == 0 ? nullptr : std::memchr(at_, 0, left());
    if (zero == nullptr) return fail();
    const std::string_view view(at_, static_cast<size_t>(static_cast<const char*>(zero) - at_));
    at_ += view.size() + 1;
    return view;
  }

 private:
  template <std::unsigned_integral Number>
  Number number() {
    if (sizeof(Number) > left()) {
      fail();
      return 0;
    }
    Number value;
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return from_big_endian(value);
  }

  template <std::unsigned_integral Number>
  static Number from_big_endian(Number value) {
    if constexpr (std::endian::native == std::endian::big || sizeof(Number) == 1) {
      return value;
    } else if constexpr (sizeof(Number) == 2) {
      return __builtin_bswap16(value);
    } else if constexpr (sizeof(Number) == 4) {
      return __builtin_bswap32(value);
    } else {
      return __builtin_bswap64(value);
    }
  }

  std::string_view fail() {
    ok_ = false;
    at_ = end_;
    return {};
  }

  const char* at_;
  const char* end_;
  bool ok_ = true;
};

}  // namespace outbox::postgres
