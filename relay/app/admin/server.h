#pragma once
// AdminServer: a small HTTP server on a thread of its own. Carries bytes only; what it answers is
// the Responder's matter. One slow, silent or hostile client costs a bounded connection for a
// bounded time, never a pipeline.
//
// Bounds: 64 connections, 8 KiB of headers, 16 KiB of body, 10 s for a request and for a response.
// Beyond them: 503 (then nothing), 431, 413, 408. What is no HTTP gets 400.
//
// Thread: made and destroyed by any one thread; the Responder runs on the server's. Errors of
// start(): ADDRESS_IN_USE, or another Error that names the address.

#include <functional>
#include <memory>

#include "relay/app/admin/http_message.h"
#include "relay/app/config/config.h"
#include "relay/core/result.h"

namespace outbox::app {

using Responder = std::function<HttpResponse(const HttpRequest&)>;

class AdminServer {
  struct Inner;

 public:
  /// Listens when this returns.
  static core::Result<std::unique_ptr<AdminServer>> start(const ListenAddress& address,
                                                          Responder responder);
  /// Ends the thread at once; open connections are cut.
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  /// For start() only, since nobody else has an Inner.
  explicit AdminServer(std::unique_ptr<Inner> inner);

 private:
  std::unique_ptr<Inner> inner_;
};

}  // namespace outbox::app
