#include "connectors/postgres/detail/copy_pump.h"

namespace outbox::postgres {

core::Result<Pumped> pump_copy(PGconn* connection, SocketReader& socket, CopyReader& reader,
                               core::Batch& batch, core::Credit credit, core::WallTime now) {
  const size_t first = batch.size();
  size_t bytes = 0;
  while (batch.size() - first < credit.events && bytes < credit.bytes) {
    char* buffer = nullptr;
    const int size = PQgetCopyData(connection, &buffer, 1);
    if (size < 0) return Pumped::ended;
    if (size == 0) {
      switch (socket.read()) {
        case SocketReader::Read::some:
          continue;
        case SocketReader::Read::empty:
          return Pumped::socket_empty;
        case SocketReader::Read::lost:
          return Pumped::lost;
      }
    }
    socket.fruitful();
    CopyBuffer message(buffer, static_cast<size_t>(size), PQfreemem);
    const size_t items = batch.size();
    if (core::Result<void> read = reader.read(message, batch, now); !read) return read.error();
    if (batch.size() > items) bytes += static_cast<size_t>(size);
  }
  return Pumped::credit_used;
}

}  // namespace outbox::postgres
