#include "connectors/postgres/detail/socket_reader.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

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

bool peer_is_gone(PGconn* connection) {
  pollfd request{PQsocket(connection), POLLRDHUP, 0};
  return ::poll(&request, 1, 0) > 0 && (request.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void acknowledge_now(PGconn* connection) {
  const int on = 1;
  setsockopt(PQsocket(connection), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

bool is_unix_socket(PGconn* connection) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  return getsockname(PQsocket(connection), reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
         address.ss_family == AF_UNIX;
}

}  // namespace outbox::postgres
