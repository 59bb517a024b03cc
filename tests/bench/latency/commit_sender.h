#pragma once
// CommitSender: publishes through outbox.publish(), each event a transaction of its own, over a
// connection of its own. The latency counts from COMMIT returned: the statement's own commit has
// been acknowledged by the server when the call comes back.

#include <libpq-fe.h>

#include <memory>
#include <string>

#include "tests/bench/latency/sender.h"

namespace outbox::bench {

class CommitSender final : public Sender {
 public:
  explicit CommitSender(const std::string& database_url);

  Clock::time_point send(size_t event) override;

 private:
  struct Closer {
    void operator()(PGconn* connection) const { PQfinish(connection); }
    void operator()(PGresult* result) const { PQclear(result); }
  };

  void expect(PGresult* result, ExecStatusType wanted) const;

  std::unique_ptr<PGconn, Closer> connection_;
};

}  // namespace outbox::bench
