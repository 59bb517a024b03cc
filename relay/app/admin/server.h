#pragma once
// AdminServer: a small HTTP server on a thread of its own. Carries bytes only; what it answers is
// the Responder's matter. One slow, silent or hostile client costs a bounded connection for a
// bounded time, never a pipeline.
//
// Bounds (AdminLimits): connections, bytes of headers and body, time for a request and a response.
// Beyond them: the connection that waited longest is cut, 431, 413, 408. What is no HTTP gets 400.
//
// Thread: made and destroyed by any one thread; the Responder runs on the server's. Errors of
// start(): ADDRESS_IN_USE, or another Error that names the address.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "relay/app/admin/http_message.h"
#include "relay/app/config/config.h"
#include "relay/core/result.h"

namespace outbox::app {

using Responder = std::function<HttpResponse(const HttpRequest&)>;

struct AdminLimits {
  size_t connections_max = 64;
  uint32_t header_bytes_max = 8 * 1024;
  uint64_t body_bytes_max = 16 * 1024;
  std::chrono::milliseconds patience{10'000};  // for a whole request, and for a whole response
};

class AdminServer {
  struct Inner;

 public:
  /// Listens when this returns. Port 0 takes a free one.
  static core::Result<std::unique_ptr<AdminServer>> start(const ListenAddress& address,
                                                          Responder responder,
                                                          const AdminLimits& limits = {});
  /// Ends the thread at once; open connections are cut.
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  uint16_t port() const;

  /// For start() only, since nobody else has an Inner.
  explicit AdminServer(std::unique_ptr<Inner> inner);

 private:
  std::unique_ptr<Inner> inner_;
};

}  // namespace outbox::app
