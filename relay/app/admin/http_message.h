#pragma once
// A request to the admin server and its response, without the HTTP library: what is decided about
// them is pure.

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace outbox::app {

struct HttpRequest {
  std::string method;                        // "GET"
  std::string target;                        // "/status?x=1"
  std::string host;                          // empty when the client sent none
  std::optional<std::string> authorization;  // the whole header
};

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // besides those every response has
};

/// An error as application/problem+json (RFC 9457), with what to do as `hint`.
HttpResponse problem(unsigned status, const std::string& title, const std::string& detail,
                     const std::string& hint);

}  // namespace outbox::app
