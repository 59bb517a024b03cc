#pragma once
// Marking: the statements that mark rows, with ids and causes as binary arrays, and whether they
// did it. A row that stays READY (a trigger, row-level security) would be read and sent again for
// ever: that is an error. One that was deleted or marked by somebody else meanwhile is none.
//
// Thread: the pipeline's. Nothing waits.

#include <libpq-fe.h>

#include <span>
#include <string>
#include <vector>

#include "connectors/postgres/detail/connection.h"
#include "connectors/postgres/detail/open_rows.h"
#include "connectors/postgres/detail/status_queries.h"
#include "relay/core/result.h"

namespace outbox::postgres {

class Marking {
 public:
  enum class Next : uint8_t {
    asked,  // an answer comes; pass it to answered(), then ask for the next
    lost,   // the connection is (PQerrorMessage)
    done,   // all is committed
  };

  void begin(Marks marks);

  /// Sends the next statement.
  Next next(PGconn* connection, const StatusQueries& queries);

  /// A fatal Error if rows of `table` cannot be marked.
  core::Result<void> answered(std::span<const Rows> answers, const std::string& table);

 private:
  enum class Step : uint8_t { begin, sent, failed, check, done };

  Step following() const;

  Marks marks_;
  Step step_ = Step::done;
  size_t marked_ = 0;
};

/// The binary form of a uuid[] and of a text[].
std::string uuid_array(const std::vector<core::Uuid>& ids);
std::string text_array(const std::vector<std::string>& texts);

}  // namespace outbox::postgres
