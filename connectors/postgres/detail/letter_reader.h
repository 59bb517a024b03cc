#pragma once
// LetterReader: rows of outbox.replay_page() and outbox.blocked_keys() as a pipeline's items, with
// their bytes in chunks.
//
// Owner: ReplaySource. Thread: the pipeline's. The chunk pool outlives it.

#include <libpq-fe.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/detail/headers_parser.h"
#include "connectors/postgres/options.h"
#include "relay/core/chunk.h"
#include "relay/core/result.h"
#include "relay/core/source.h"

namespace outbox::postgres {

/// A field of a binary answer whose columns are text, bytea or uuid: its bytes. nullopt: NULL.
std::optional<std::string_view> result_value(const PGresult* rows, int row, int column);
inline std::string_view result_text(const PGresult* rows, int row, int column) {
  return result_value(rows, row, column).value_or(std::string_view());
}
template <typename Number>
Number result_number(const PGresult* rows, int row, int column) {
  return to_number<Number>(std::string(result_text(rows, row, column)));
}

class LetterReader {
 public:
  /// `extras`: the columns that the source was told of, in its order.
  LetterReader(std::vector<ExtraColumn> extras, core::ChunkPool& pool)
      : columns_(std::move(extras)), pool_(pool) {}

  /// What is to be selected from replay_page().
  static const char* const kColumns;

  /// All of an event but its position; its seq is the letter's number, its last extras the number
  /// of this replay and the position it had at first. An Error: the row is none that a relay wrote.
  core::Result<void> read(const PGresult* page, int row, core::Item& item);
  static std::string_view lane(const PGresult* page, int row);
  static std::string_view place(const PGresult* page, int row);

  /// Columns: aggregate_type, aggregate_id, event_type, letters.
  void read_key(const PGresult* keys, int row, core::Item& item);

  /// Holds no chunk any more.
  void let_go() { current_.reset(); }

 private:
  core::Chunk& room(size_t bytes, core::Item& item);
  size_t bytes_of(const PGresult* page, int row) const;
  void place_headers(core::Chunk& chunk, core::Event& event);
  void place_extras(std::string_view replays, std::string_view position, core::Chunk& chunk,
                    core::Event& event);

  const std::vector<ExtraColumn> columns_;
  core::ChunkPool& pool_;
  HeadersParser headers_;
  HeadersParser extras_;
  core::ChunkRef current_;
};

}  // namespace outbox::postgres
