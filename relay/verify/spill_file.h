#pragma once
// SpillFile: a temporary file that has no name, so that nothing of it is left however the process
// ends. What does not fit in memory is appended and read back by place.
//
// Thread: one at a time. Errors name the folder and say what to do; they are `fatal`.

#include <cstddef>
#include <cstdint>
#include <string>

#include "relay/core/result.h"

namespace outbox::verify {

class SpillFile {
 public:
  /// In a folder that exists; nothing is written yet.
  static core::Result<SpillFile> in(const std::string& folder);
  SpillFile(SpillFile&& other) noexcept;
  SpillFile& operator=(SpillFile&& other) noexcept;
  ~SpillFile();

  core::Result<void> append(const void* bytes, size_t size);
  /// Exactly `size` bytes, which were appended before.
  core::Result<void> read(uint64_t at, void* bytes, size_t size) const;
  uint64_t size() const { return size_; }

 private:
  SpillFile(int fd, std::string folder) : fd_(fd), folder_(std::move(folder)) {}
  core::Error failure(const char* op) const;

  int fd_ = -1;
  uint64_t size_ = 0;
  std::string folder_;
};

}  // namespace outbox::verify
