#include "connectors/postgres/detail/socket_reader.h"

#include <poll.h>

namespace outbox::postgres {
namespace {

// They always bring the rest of a record out.
constexpr int kReadsOfOneRecord = 2;

bool readable(int fd) {
  pollfd request{fd, POLLIN, 0};
  return ::poll(&request, 1, 0) > 0;
}

}  // namespace

bool SocketReader::flush() {
  const int flushed = PQflush(connection_);
  flush_pending_ = flushed > 0;
  return flushed >= 0;
}

SocketReader::Read SocketReader::read() {
  if (flush_pending_ && !flush()) return Read::lost;
  if (!readable(PQsocket(connection_))) {
    if (!encrypted_ || ++fruitless_reads_ > kReadsOfOneRecord) {
      fruitless_reads_ = 0;
      return Read::empty;
    }
  }
  return PQconsumeInput(connection_) != 0 ? Read::some : Read::lost;
}

}  // namespace outbox::postgres
