#include "connectors/postgres/detail/marking.h"

#include <array>
#include <cstdint>
#include <utility>

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

void Marking::begin(Marks marks) {
  marks_ = std::move(marks);
  step_ = Step::begin;
  marked_ = 0;
}

Marking::Step Marking::following() const {
  if (step_ < Step::sent && !marks_.sent.empty()) return Step::sent;
  if (step_ < Step::failed && !marks_.failed.empty()) return Step::failed;
  const bool fewer = marked_ < marks_.sent.size() + marks_.failed.size();
  return step_ < Step::check && fewer ? Step::check : Step::done;
}

Marking::Next Marking::next(PGconn* connection, const StatusQueries& queries) {
  step_ = following();
  bool sent = false;
  switch (step_) {
    case Step::sent:
      sent = send<1>(connection, queries.mark_sent(), {uuid_array(marks_.sent)});
      break;
    case Step::failed:
      sent = send<2>(connection, queries.mark_failed(),
                     {uuid_array(marks_.failed), text_array(marks_.causes)});
      break;
    case Step::check:
      marks_.sent.insert(marks_.sent.end(), marks_.failed.begin(), marks_.failed.end());
      sent = send<1>(connection, queries.still_ready(), {uuid_array(marks_.sent)});
      break;
    default:
      return Next::done;
  }
  return sent ? Next::asked : Next::lost;
}

core::Result<void> Marking::answered(std::span<const Rows> answers, const std::string& table) {
  const Rows& rows = answers.front();
  if (step_ != Step::check) {
    marked_ += rows.number<size_t>("marked");
    return {};
  }
  if (rows.empty()) return {};
  return core::Error{core::Fault::fatal,
                     "MARK_WITHOUT_EFFECT",
                     "mark rows of",
                     "table " + table,
                     "row " + rows.value("id") + " was delivered, and stays READY after an UPDATE",
                     "Look for a trigger or a row-level security policy on the table. The relay "
                     "stops because it would send the row again and again"};
}

}  // namespace outbox::postgres
