#include "relay/core/chunk.h"

#include <cstring>
#include <utility>

#include "relay/core/assert.h"
#include "relay/core/limits.h"

namespace outbox::core {
namespace {

// 4 MB at rest: enough to refill a window without asking the allocator, little enough to forget
// about.
constexpr size_t kFreeChunksMax = 64;

}  // namespace

std::string_view Chunk::append(std::string_view bytes) {
  OUTBOX_ASSERT(bytes.size() <= room());
  char* at = bytes_ + used_;
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  used_ += bytes.size();
  return {at, bytes.size()};
}

void* Chunk::reserve(size_t bytes, size_t align) {
  const size_t address = reinterpret_cast<size_t>(bytes_ + used_);
  const size_t padding = (align - address % align) % align;
  OUTBOX_ASSERT(padding + bytes <= room());
  used_ += padding;
  void* at = bytes_ + used_;
  used_ += bytes;
  return at;
}

ChunkRef::ChunkRef(Chunk* chunk) : chunk_(chunk) { ++chunk_->count_; }

ChunkRef::ChunkRef(const ChunkRef& other) : chunk_(other.chunk_) {
  if (chunk_ != nullptr) ++chunk_->count_;
}

ChunkRef& ChunkRef::operator=(ChunkRef other) noexcept {
  std::swap(chunk_, other.chunk_);
  return *this;
}

void ChunkRef::reset() {
  if (chunk_ == nullptr) return;
  OUTBOX_ASSERT(chunk_->count_ > 0);
  Chunk* chunk = std::exchange(chunk_, nullptr);
  if (--chunk->count_ == 0) chunk->pool_->release(chunk);
}

ChunkPool::~ChunkPool() {
  OUTBOX_ASSERT(held_chunks_ == 0);
  for (Chunk* chunk : free_) {
    delete[] chunk->bytes_;
    delete chunk;
  }
}

ChunkRef ChunkPool::pooled() {
  Chunk* chunk = nullptr;
  if (free_.empty()) {
    chunk = new Chunk();
    chunk->pool_ = this;
    chunk->bytes_ = new char[kChunkBytes];
    chunk->capacity_ = kChunkBytes;
    chunk->held_bytes_ = kChunkBytes;
  } else {
    chunk = free_.back();
    free_.pop_back();
  }
  chunk->used_ = 0;
  ++held_chunks_;
  held_bytes_ += chunk->held_bytes_;
  return ChunkRef(chunk);
}

ChunkRef ChunkPool::single(size_t capacity) {
  Chunk* chunk = new Chunk();
  chunk->pool_ = this;
  chunk->bytes_ = new char[capacity];
  chunk->capacity_ = capacity;
  chunk->held_bytes_ = capacity;
  chunk->kind_ = Chunk::Kind::single;
  ++held_chunks_;
  held_bytes_ += capacity;
  return ChunkRef(chunk);
}

ChunkRef ChunkPool::adopt(void* bytes, size_t size, ForeignFree free, size_t room) {
  Chunk* chunk = new Chunk();
  chunk->pool_ = this;
  chunk->bytes_ = room == 0 ? nullptr : new char[room];
  chunk->capacity_ = room;
  chunk->held_bytes_ = size + room;
  chunk->kind_ = Chunk::Kind::foreign;
  chunk->foreign_ = bytes;
  chunk->foreign_free_ = free;
  ++held_chunks_;
  held_bytes_ += chunk->held_bytes_;
  return ChunkRef(chunk);
}

void ChunkPool::release(Chunk* chunk) {
  OUTBOX_ASSERT(held_chunks_ > 0);
  --held_chunks_;
  held_bytes_ -= chunk->held_bytes_;
  if (chunk->kind_ == Chunk::Kind::pooled && free_.size() < kFreeChunksMax) {
    free_.push_back(chunk);
    return;
  }
  if (chunk->kind_ == Chunk::Kind::foreign) chunk->foreign_free_(chunk->foreign_);
  delete[] chunk->bytes_;
  delete chunk;
}

}  // namespace outbox::core
