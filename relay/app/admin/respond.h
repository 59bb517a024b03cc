#pragma once
// respond: what the admin server answers. Pure: decides from the request, the token and the view;
// the server only carries bytes.
//
//   GET /         the operators' page        /healthz  200 while every loop goes round, else 503
//   GET /status   JSON for programs          /readyz   200 when every pipeline is ok, else 503
//   GET /metrics  Prometheus                 /style.css
//
// Errors are problem+json with a hint: 401 without the token, 403 for a foreign Host, 404, 405.

#include <functional>

#include "relay/app/admin/http_message.h"
#include "relay/app/admin/view.h"
#include "relay/app/secret.h"

namespace outbox::app {

/// `view` is called only for requests that may see it.
HttpResponse respond(const HttpRequest& request, const Secret& token,
                     const std::function<AdminView()>& view);

}  // namespace outbox::app
