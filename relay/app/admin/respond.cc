#include "relay/app/admin/respond.h"

#include <arpa/inet.h>

#include <string_view>

#include "relay/core/suggest.h"

namespace outbox::app {
namespace {

const std::vector<std::string> kPaths = {"/",        "/status", "/metrics",
                                         "/healthz", "/readyz", "/style.css"};

bool authorized(const HttpRequest& request, const Secret& token) {
  if (token.empty()) return true;
  constexpr std::string_view kScheme = "Bearer ";
  if (!request.authorization || !request.authorization->starts_with(kScheme)) return false;
  return equal_in_constant_time(token,
                                std::string_view(*request.authorization).substr(kScheme.size()));
}

/// Whether the Host header is one that a person or a scraper on this machine writes. A web page can
/// make a browser ask loopback under a name of its own (DNS rebinding); without a token that name
/// is what tells it apart.
bool local_host_name(std::string_view host) {
  if (host.empty() || host.front() == '[') return true;  // "[::1]:9187" is an address
  const std::string name(host.substr(0, host.rfind(':')));
  in_addr v4{};
  in6_addr v6{};
  return name == "localhost" || inet_pton(AF_INET, name.c_str(), &v4) == 1 ||
         inet_pton(AF_INET6, name.c_str(), &v6) == 1;
}

HttpResponse healthz(const AdminView& view) {
  const std::vector<std::string> dead = dead_loops(view);
  if (dead.empty()) return HttpResponse{200, "text/plain; charset=utf-8", "ok\n", {}};
  std::string names;
  for (const std::string& name : dead) names += (names.empty() ? "" : ", ") + name;
  return problem(503, "Service Unavailable", "the loop has stopped going round: " + names,
                 "Restart the relay; nothing that was not confirmed is lost.");
}

HttpResponse readyz(const AdminView& view) {
  std::string reasons;
  for (const PipelineView& pipeline : view.pipelines) {
    const PipelineSnapshot& now = pipeline.snapshot;
    const bool dead = loop_is_dead(view, now);
    if (now.state == core::HealthState::ok && !dead) continue;
    reasons += (reasons.empty() ? "" : "; ") + now.name + " is ";
    reasons += dead ? "dead" : to_string(now.state);
    if (!now.reason.empty()) reasons += ": " + now.reason;
  }
  if (reasons.empty()) return HttpResponse{200, "text/plain; charset=utf-8", "ok\n", {}};
  return problem(503, "Service Unavailable", reasons, "See /status, or run: outbox doctor");
}

HttpResponse page(const AdminView& view) {
  return HttpResponse{200,
                      "text/html; charset=utf-8",
                      page_html(view),
                      {{"Content-Security-Policy",
                        "default-src 'none'; style-src 'self'; base-uri 'none'; "
                        "form-action 'none'; frame-ancestors 'none'"}}};
}

HttpResponse not_found(const std::string& path) {
  std::string hint = core::did_you_mean(path, kPaths);
  if (hint.empty()) hint = "There is /, /status, /metrics, /healthz and /readyz.";
  return problem(404, "Not Found", "nothing is served under this path", hint);
}

}  // namespace

HttpResponse respond(const HttpRequest& request, const Secret& token,
                     const std::function<AdminView()>& view) {
  if (!authorized(request, token)) {
    HttpResponse refused = problem(401, "Unauthorized", "this relay asks for its token",
                                   "Send the header: Authorization: Bearer <[admin] token>");
    refused.headers.push_back({"WWW-Authenticate", "Bearer realm=\"outbox\""});
    return refused;
  }
  if (token.empty() && !local_host_name(request.host)) {
    return problem(403, "Forbidden", "the Host header names another machine",
                   "Ask for 127.0.0.1 or localhost, or give [admin] a token.");
  }
  if (request.method != "GET" && request.method != "HEAD") {
    HttpResponse refused =
        problem(405, "Method Not Allowed", "everything here is only read", "Use GET.");
    refused.headers.push_back({"Allow", "GET, HEAD"});
    return refused;
  }
  const std::string path = request.target.substr(0, request.target.find('?'));
  if (path == "/") return page(view());
  if (path == "/status") return HttpResponse{200, "application/json", status_json(view()), {}};
  if (path == "/metrics") {
    return HttpResponse{200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(view()), {}};
  }
  if (path == "/healthz") return healthz(view());
  if (path == "/readyz") return readyz(view());
  if (path == "/style.css") return HttpResponse{200, "text/css; charset=utf-8", page_css(), {}};
  return not_found(path);
}

}  // namespace outbox::app
