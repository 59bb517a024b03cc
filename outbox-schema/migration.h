#pragma once
// The migrations as the binary carries them, byte for byte the files under migrations/.

#include <span>
#include <string_view>

namespace outbox::schema {

struct Migration {
  int version = 0;            // 1 for V001__outbox.sql
  std::string_view name;      // "outbox"
  std::string_view file;      // "V001__outbox.sql"
  std::string_view checksum;  // SHA-256 of the file, in hex
  std::string_view sql;
};

/// Ascending by version, without gaps.
std::span<const Migration> embedded_migrations();

}  // namespace outbox::schema
