#include "connectors/postgres/detail/send_marks.h"

#include <array>
#include <cstdint>

namespace outbox::postgres {
namespace {

constexpr uint32_t kText = 25;
constexpr uint32_t kUuid = 2950;

void put_u32(std::string& out, uint32_t number) {
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(number >> shift));
}

// dimensions, "has NULLs", element type; then, of the one dimension, size and first index.
std::string array_header(uint32_t element, size_t size) {
  std::string out;
  put_u32(out, size == 0 ? 0 : 1);
  put_u32(out, 0);
  put_u32(out, element);
  if (size == 0) return out;
  put_u32(out, static_cast<uint32_t>(size));
  put_u32(out, 1);
  return out;
}

// Without a prepared statement each plan knows its own list: a plan for any list may read all READY
// rows and compare each with every id.
template <size_t kCount>
bool send(PGconn* connection, const std::string& statement,
          const std::array<std::string, kCount>& arrays) {
  std::array<const char*, kCount> values;
  std::array<int, kCount> lengths;
  std::array<int, kCount> formats;
  for (size_t i = 0; i < kCount; ++i) {
    values[i] = arrays[i].data();
    lengths[i] = static_cast<int>(arrays[i].size());
    formats[i] = 1;
  }
  return PQsendQueryParams(connection, statement.c_str(), static_cast<int>(kCount), nullptr,
                           values.data(), lengths.data(), formats.data(), 0) != 0;
}

}  // namespace

std::string uuid_array(const std::vector<core::Uuid>& ids) {
  std::string out = array_header(kUuid, ids.size());
  for (const core::Uuid& id : ids) {
    put_u32(out, static_cast<uint32_t>(id.bytes.size()));
    out.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
  }
  return out;
}

std::string text_array(const std::vector<std::string>& texts) {
  std::string out = array_header(kText, texts.size());
  for (const std::string& text : texts) {
    put_u32(out, static_cast<uint32_t>(text.size()));
    out += text;
  }
  return out;
}

bool send_sent(PGconn* connection, const std::string& statement, const Marks& marks) {
  return send<1>(connection, statement, {uuid_array(marks.sent)});
}

bool send_failed(PGconn* connection, const std::string& statement, const Marks& marks) {
  return send<2>(connection, statement, {uuid_array(marks.failed), text_array(marks.causes)});
}

}  // namespace outbox::postgres
