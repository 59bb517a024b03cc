#pragma once
// Rows of the tables of dead letters as the values that operators see, and the columns to ask for.

#include <string>
#include <vector>

#include "connectors/postgres/detail/connection.h"
#include "relay/core/letters.h"

namespace outbox::postgres {

/// `column` as text in RFC 3339, in UTC.
std::string time_column(const std::string& column, const std::string& name);

/// The select list, of a letter l.
std::string letter_columns(core::LetterParts parts);
core::Letter letter_of(const Rows& rows, int row, core::LetterParts parts);

extern const char* const kJobSql;  // up to its conditions; j is the job, p the pipeline's progress
core::ReplayJob job_of(const Rows& rows, int row);

std::vector<core::LetterGroup> groups_of(const Rows& rows);
std::vector<core::LetterAct> acts_of(const Rows& rows);

/// Bytes as the text form of a bytea, and back; nullopt for other text.
std::string bytea_text(std::string_view bytes);
std::optional<std::string> bytes_of_text(std::string_view text);

}  // namespace outbox::postgres
