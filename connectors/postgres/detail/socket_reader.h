#pragma once
// SocketReader: moves what a connection's socket has into libpq's buffer, about 16 kB at a time,
// without waiting, and says when it is empty. Over TLS a socket that has nothing says little:
// OpenSSL may still hold the rest of a record, and nothing would wake us for it.
//
// Thread: the one that owns the connection. Begin a new one for each connection.

#include <libpq-fe.h>

namespace outbox::postgres {

class SocketReader {
 public:
  enum class Read { some, empty, lost };

  SocketReader() = default;
  explicit SocketReader(PGconn* connection)
      : connection_(connection), encrypted_(PQsslInUse(connection) != 0) {}

  /// After a statement was given to libpq: sends what the socket takes, the rest with the reads
  /// that follow. False: lost.
  bool flush();
  bool flush_pending() const { return flush_pending_; }

  /// Called when libpq has nothing more to hand out. `lost`: PQerrorMessage says why.
  Read read();

  /// The last read brought something that libpq could hand out.
  void fruitful() { fruitless_reads_ = 0; }

 private:
  PGconn* connection_ = nullptr;
  bool encrypted_ = false;
  bool flush_pending_ = false;
  int fruitless_reads_ = 0;
};

/// Whether the other side has closed the connection. Seen also while what it sent before is unread,
/// where a socket looks readable like any other.
bool peer_is_gone(PGconn* connection);

/// TCP holds an acknowledgement back for up to 40 ms, hoping for company. A walsender under BBR may
/// send four packets ahead of it for 200 ms of every 10 s: a row and its commit are three, so
/// events would pile up for that long. Unix sockets refuse this, and do not need it.
void acknowledge_now(PGconn* connection);

bool is_unix_socket(PGconn* connection);

}  // namespace outbox::postgres
