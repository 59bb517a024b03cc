#pragma once
// Chunk: a counted block of bytes that events are views into. A source fills one, hands out events
// that point into it, and the chunk lives until the last cell that holds a ChunkRef is settled;
// then it goes back to its pool (or is freed). So the hot path allocates nothing per event.
//
// Thread: one pipeline owns a pool and all its chunks; the count is not atomic. Client libraries
// that read the bytes on threads of their own (librdkafka) do so between submit and completion,
// while a cell holds the ref. Lifetime: a ChunkPool outlives its chunks; asserted.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace outbox::core {

class ChunkPool;

/// Frees memory that a client library allocated (PQfreemem and the like), when a chunk adopts it
/// instead of copying.
using ForeignFree = void (*)(void*);

class Chunk {
 public:
  Chunk(const Chunk&) = delete;
  Chunk& operator=(const Chunk&) = delete;

  /// Room left for `append` and `reserve`.
  size_t room() const { return capacity_ - used_; }
  size_t capacity() const { return capacity_; }

  /// True when other events may live here too.
  bool shared() const { return kind_ == Kind::pooled; }

  /// Copies `bytes` in and returns the view of the copy. The caller has checked room().
  std::string_view append(std::string_view bytes);

  /// Uninitialised, aligned memory inside the chunk, valid as long as the chunk. The caller has
  /// checked room() >= bytes + align.
  void* reserve(size_t bytes, size_t align);

 private:
  friend class ChunkPool;
  friend class ChunkRef;
  enum class Kind : uint8_t { pooled, single, foreign };

  Chunk() = default;
  ~Chunk() = default;

  ChunkPool* pool_ = nullptr;
  char* bytes_ = nullptr;
  size_t capacity_ = 0;
  size_t used_ = 0;
  size_t held_bytes_ = 0;
  uint32_t count_ = 0;
  Kind kind_ = Kind::pooled;
  void* foreign_ = nullptr;
  ForeignFree foreign_free_ = nullptr;
};

/// Shares ownership of a chunk. Copy to add a holder.
class ChunkRef {
 public:
  ChunkRef() = default;
  ChunkRef(const ChunkRef& other);
  ChunkRef(ChunkRef&& other) noexcept : chunk_(other.chunk_) { other.chunk_ = nullptr; }
  ChunkRef& operator=(ChunkRef other) noexcept;
  ~ChunkRef() { reset(); }

  void reset();
  explicit operator bool() const { return chunk_ != nullptr; }
  Chunk* operator->() const { return chunk_; }
  Chunk& operator*() const { return *chunk_; }

 private:
  friend class ChunkPool;
  explicit ChunkRef(Chunk* chunk);
  Chunk* chunk_ = nullptr;
};

class ChunkPool {
 public:
  ChunkPool() = default;
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  /// An empty chunk of kChunkBytes.
  ChunkRef pooled();

  /// An empty chunk of its own with exactly `capacity` bytes, freed with its last holder.
  ChunkRef single(size_t capacity);

  /// A chunk around memory that somebody else allocated; `free` is called with `bytes` at the end.
  /// What has to lie beside those bytes (a header table) finds `room` bytes of its own.
  ChunkRef adopt(void* bytes, size_t size, ForeignFree free, size_t room = 0);

  /// Bytes in chunks that somebody holds. Bounded by the window's byte budget plus one chunk per
  /// source.
  size_t held_bytes() const { return held_bytes_; }

 private:
  friend class ChunkRef;
  void release(Chunk* chunk);

  std::vector<Chunk*> free_;  // pooled chunks at rest; at most kFreeChunksMax are kept
  size_t held_bytes_ = 0;
  size_t held_chunks_ = 0;
};

}  // namespace outbox::core
