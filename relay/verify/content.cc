#include "relay/verify/content.h"

#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "relay/core/assert.h"
#include "relay/core/lsn.h"

namespace outbox::verify {
namespace {

constexpr std::string_view kStructured = "application/cloudevents+json";
constexpr std::string_view kStructuredId = "{\"specversion\":\"1.0\",\"id\":\"";
constexpr std::string_view kTimeMember = ",\"time\":\"";
constexpr size_t kUuidText = 36;

bool left_out(std::string_view name) {
  return name == "position" || name == "epoch" || name == "ce_time" || name == "outbox.replays" ||
         name.starts_with("outbox.error.") || name.starts_with("__connect.errors.") ||
         name.starts_with("kafka_dlt-");
}

bool structured(const RecordView& record) {
  const auto type = header(record, "content-type");
  return type && type->starts_with(kStructured) && record.value;
}

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

struct Hasher::Digest {
  EVP_MD* algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  EVP_MD_CTX* context = EVP_MD_CTX_new();

  Digest() { OUTBOX_ASSERT(algorithm != nullptr && context != nullptr); }
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;
  ~Digest() {
    EVP_MD_CTX_free(context);
    EVP_MD_free(algorithm);
  }
};

Hasher::Hasher() : digest_(std::make_unique<Digest>()) {}
Hasher::~Hasher() = default;

Content Hasher::content(const RecordView& record) {
  OUTBOX_ASSERT(EVP_DigestInit_ex2(digest_->context, digest_->algorithm, nullptr) == 1);
  add(record.key);
  add_value(record);
  for (const core::Header& one : record.headers) {
    if (left_out(one.name)) continue;
    add(one.name);
    add(one.value);
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> whole{};
  unsigned size = 0;
  OUTBOX_ASSERT(EVP_DigestFinal_ex(digest_->context, whole.data(), &size) == 1);
  Content half{};
  OUTBOX_ASSERT(size >= half.size());
  std::copy_n(whole.begin(), half.size(), half.begin());
  return half;
}

// With its length, so that no two lists of texts read the same; nothing is not an empty text.
void Hasher::add(std::optional<std::string_view> text) {
  const uint64_t length = text ? text->size() : ~uint64_t{0};
  OUTBOX_ASSERT(EVP_DigestUpdate(digest_->context, &length, sizeof length) == 1);
  if (!text || text->empty()) return;
  OUTBOX_ASSERT(EVP_DigestUpdate(digest_->context, text->data(), text->size()) == 1);
}

// A quote inside a JSON string has a backslash before it, so the first `,"time":"` is the member.
void Hasher::add_value(const RecordView& record) {
  if (!structured(record)) return add(record.value);
  const std::string_view json = *record.value;
  const size_t member = json.find(kTimeMember);
  const size_t begin = member == json.npos ? json.npos : member + kTimeMember.size();
  const size_t end = begin == json.npos ? json.npos : json.find('"', begin);
  if (end == json.npos) return add(json);
  add(json.substr(0, begin));
  add(json.substr(end));
}

uint64_t key_hash(std::optional<std::string_view> key) {
  if (!key) return 0;
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : *key) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  hash ^= hash >> 32;
  return hash == 0 ? 1 : hash;
}

std::optional<std::string_view> header(const RecordView& record, std::string_view name) {
  for (const core::Header& one : record.headers) {
    if (one.name == name) return one.value;
  }
  return std::nullopt;
}

std::optional<core::Uuid> event_id(const RecordView& record) {
  for (const std::string_view name : {"id", "ce_id"}) {
    if (const auto text = header(record, name)) return core::parse_uuid(*text);
  }
  if (!structured(record) || !record.value->starts_with(kStructuredId)) return std::nullopt;
  return core::parse_uuid(record.value->substr(kStructuredId.size(), kUuidText));
}

RecordPosition record_position(const RecordView& record) {
  const auto text = header(record, "position");
  if (!text) return {};
  if (const auto number = number_of(*text)) return {PositionKind::number, {*number, 0}};
  const size_t slash = text->rfind('/');
  if (slash == text->npos) return {};
  const auto lsn = core::parse_lsn(text->substr(0, slash));
  const auto ordinal = number_of(text->substr(slash + 1));
  if (!lsn || !ordinal) return {};
  return {PositionKind::lsn, {lsn->value, *ordinal}};
}

}  // namespace outbox::verify
