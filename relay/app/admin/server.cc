#include "relay/app/admin/server.h"

#include <array>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <list>
#include <optional>
#include <thread>
#include <utility>

#include "relay/app/config/listen_address.h"
#include "relay/app/signals_blocked.h"

namespace outbox::app {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

// How long a client may go on sending into a connection that was answered with an error: closing
// with unread bytes would reset it, and the answer with it.
constexpr auto kLinger = std::chrono::seconds(1);
constexpr size_t kLingerBytesMax = 1024 * 1024;

/// What the parser refused, as an answer; nothing when the connection is simply over.
std::optional<HttpResponse> refusal_of(const error_code& error, bool timed_out, bool began) {
  if (timed_out) {
    if (!began) return std::nullopt;  // an idle connection
    return problem(408, "Request Timeout", "the request did not arrive in time", "Send it whole.");
  }
  if (error == http::error::body_limit) {
    return problem(413, "Content Too Large", "the body is too large", "Nothing here takes a body.");
  }
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return problem(431, "Request Header Fields Too Large", "the headers are too large",
                   "Send fewer.");
  }
  const bool of_http =
      error.category() == http::make_error_code(http::error::bad_method).category();
  if (!of_http || error == http::error::end_of_stream || error == http::error::partial_message) {
    return std::nullopt;
  }
  return problem(400, "Bad Request", "this is no HTTP request: " + error.message(),
                 "Use an HTTP client.");
}

class Session;

/// The open connections, oldest first.
using Sessions = std::list<Session*>;

/// One connection. Keeps itself alive by the handlers that are under way.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, const Responder& responder, const AdminLimits& limits,
          std::shared_ptr<Sessions> open)
      : socket_(std::move(socket)),
        timer_(socket_.get_executor()),
        responder_(responder),
        limits_(limits),
        buffer_(limits.header_bytes_max + limits.body_bytes_max),
        open_(std::move(open)) {
    place_ = open_->insert(open_->end(), this);
  }
  ~Session() { open_->erase(place_); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start() {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    // Whoever waits longest makes room: so clients that hold connections lose them, not those that
    // ask.
    if (open_->size() > limits_.connections_max) open_->front()->cut();
    read();
  }

 private:
  void read() {
    parser_.emplace();
    parser_->header_limit(limits_.header_bytes_max);
    parser_->body_limit(limits_.body_bytes_max);
    wait(limits_.patience);
    http::async_read(socket_, buffer_, *parser_,
                     [self = shared_from_this()](const error_code& error, size_t) {
                       self->timer_.cancel();
                       self->got(error);
                     });
  }

  void got(const error_code& error) {
    if (error) {
      const bool began = buffer_.size() > 0 || parser_->got_some();
      if (auto answer = refusal_of(error, timed_out_, began)) finish(std::move(*answer));
      return;
    }
    open_->splice(open_->end(), *open_, place_);
    const auto& message = parser_->get();
    HttpRequest request;
    request.method = std::string(message.method_string());
    request.target = std::string(message.target());
    request.host = std::string(message[http::field::host]);
    const auto authorization = message.find(http::field::authorization);
    if (authorization != message.end()) request.authorization = std::string(authorization->value());
    write(answer_to(request), message.method() == http::verb::head, message.keep_alive(),
          message.version());
  }

  HttpResponse answer_to(const HttpRequest& request) {
    try {
      return responder_(request);
    } catch (const std::exception& error) {
      return problem(500, "Internal Server Error", error.what(), "Try again.");
    }
  }

  void cut() {
    error_code ignored;
    socket_.close(ignored);
    open_->splice(open_->end(), *open_, place_);  // it goes with its last handler
  }

  /// Answers and gives the client a moment to read it before the connection ends.
  void finish(HttpResponse response) { write(std::move(response), false, false, 11); }

  void write(HttpResponse response, bool head_only, bool keep_alive, unsigned version) {
    response_ = {};
    response_.version(version);
    response_.result(response.status);
    response_.set(http::field::server, "outbox");
    response_.set(http::field::content_type, response.content_type);
    response_.set(http::field::cache_control, "no-store");
    response_.set("X-Content-Type-Options", "nosniff");
    response_.set("Referrer-Policy", "no-referrer");
    for (const auto& [name, value] : response.headers) response_.set(name, value);
    response_.keep_alive(keep_alive);
    const size_t size = response.body.size();
    if (!head_only) response_.body() = std::move(response.body);
    response_.content_length(size);
    serializer_.emplace(response_);
    serializer_->split(head_only);
    wait(limits_.patience);
    const auto wrote = [self = shared_from_this(), keep_alive](const error_code& error, size_t) {
      self->timer_.cancel();
      if (error) return;
      if (keep_alive) {
        self->read();
      } else {
        self->linger();
      }
    };
    if (head_only) {
      http::async_write_header(socket_, *serializer_, wrote);
    } else {
      http::async_write(socket_, *serializer_, wrote);
    }
  }

  void linger() {
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    wait(kLinger);
    discard();
  }

  void discard() {
    socket_.async_read_some(asio::buffer(discarded_),
                            [self = shared_from_this()](const error_code& error, size_t bytes) {
                              self->discarded_bytes_ += bytes;
                              if (!error && self->discarded_bytes_ < kLingerBytesMax) {
                                self->discard();
                              } else {
                                self->timer_.cancel();
                              }
                            });
  }

  /// From now on the operation under way has this long; then it is cancelled.
  void wait(std::chrono::milliseconds patience) {
    timed_out_ = false;
    timer_.expires_after(patience);
    timer_.async_wait([weak = weak_from_this()](const error_code& cancelled) {
      const auto self = weak.lock();
      if (cancelled || !self) return;
      self->timed_out_ = true;
      error_code ignored;
      self->socket_.cancel(ignored);
    });
  }

  tcp::socket socket_;
  asio::steady_timer timer_;
  const Responder& responder_;
  const AdminLimits limits_;
  boost::beast::flat_buffer buffer_;
  std::shared_ptr<Sessions> open_;
  Sessions::iterator place_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
  std::optional<http::response_serializer<http::string_body>> serializer_;
  std::array<char, 4096> discarded_{};
  size_t discarded_bytes_ = 0;
  bool timed_out_ = false;
};

}  // namespace

struct AdminServer::Inner {
  Inner(Responder wanted, const AdminLimits& bounds)
      : responder(std::move(wanted)), limits(bounds), acceptor(context) {}

  error_code listen(const ListenAddress& address) {
    error_code error;
    const tcp::endpoint endpoint(asio::ip::make_address(address.host, error), address.port);
    if (!error) acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(static_cast<int>(limits.connections_max), error);
    if (!error) port = acceptor.local_endpoint(error).port();
    return error;
  }

  void accept() {
    acceptor.async_accept([this](const error_code& error, tcp::socket socket) {
      if (!acceptor.is_open()) return;
      if (!error) {
        std::make_shared<Session>(std::move(socket), responder, limits, open)->start();
        accept();
        return;
      }
      // Out of descriptors, most likely: the next one may do.
      pause.expires_after(std::chrono::milliseconds(100));
      pause.async_wait([this](const error_code&) { accept(); });
    });
  }

  Responder responder;
  AdminLimits limits;
  asio::io_context context{1};
  tcp::acceptor acceptor;
  asio::steady_timer pause{context};
  uint16_t port = 0;
  std::shared_ptr<Sessions> open = std::make_shared<Sessions>();
  std::jthread thread;
};

AdminServer::AdminServer(std::unique_ptr<Inner> inner) : inner_(std::move(inner)) {}

uint16_t AdminServer::port() const { return inner_->port; }

AdminServer::~AdminServer() {
  inner_->context.stop();
  inner_->thread.join();
}

core::Result<std::unique_ptr<AdminServer>> AdminServer::start(const ListenAddress& address,
                                                              Responder responder,
                                                              const AdminLimits& limits) {
  auto inner = std::make_unique<Inner>(std::move(responder), limits);
  if (const error_code error = inner->listen(address)) {
    const bool taken = error == boost::system::errc::address_in_use;
    return core::Error{core::Fault::fatal,
                       taken ? "ADDRESS_IN_USE" : "LISTEN",
                       "listen on",
                       to_string(address),
                       error.message(),
                       taken ? "Another relay may run already; give this one another [admin] listen"
                             : "Give [admin] listen an address of this machine"};
  }
  inner->accept();
  const SignalsBlocked blocked;
  inner->thread = std::jthread([raw = inner.get()] { raw->context.run(); });
  return std::make_unique<AdminServer>(std::move(inner));
}

}  // namespace outbox::app
