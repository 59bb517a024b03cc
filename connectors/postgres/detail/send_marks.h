#pragma once
// Sends the statements that mark rows, with their ids and causes as binary arrays. Does not wait;
// false: the connection is lost (PQerrorMessage says why).

#include <libpq-fe.h>

#include <string>
#include <vector>

#include "connectors/postgres/detail/open_rows.h"

namespace outbox::postgres {

bool send_sent(PGconn* connection, const std::string& statement, const Marks& marks);
bool send_failed(PGconn* connection, const std::string& statement, const Marks& marks);

/// The binary form of a uuid[] and of a text[].
std::string uuid_array(const std::vector<core::Uuid>& ids);
std::string text_array(const std::vector<std::string>& texts);

}  // namespace outbox::postgres
