#pragma once
// CopyBuffer: one CopyData message as libpq hands it out, in memory that libpq allocated. Freed at
// the end, unless a chunk adopted it.

#include <cstddef>
#include <string_view>
#include <utility>

#include "relay/core/chunk.h"

namespace outbox::postgres {

class CopyBuffer {
 public:
  CopyBuffer(char* bytes, size_t size, core::ForeignFree free)
      : bytes_(bytes), size_(size), free_(free) {}
  CopyBuffer(const CopyBuffer&) = delete;
  CopyBuffer& operator=(const CopyBuffer&) = delete;
  ~CopyBuffer() {
    if (bytes_ != nullptr) free_(bytes_);
  }

  std::string_view view() const { return {bytes_, size_}; }
  core::ForeignFree free_function() const { return free_; }

  /// Gives the memory away; whoever takes it frees it with free_function().
  char* release() { return std::exchange(bytes_, nullptr); }

 private:
  char* bytes_;
  size_t size_;
  core::ForeignFree free_;
};

}  // namespace outbox::postgres
