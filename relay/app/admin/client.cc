#include "relay/app/admin/client.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <memory>

#include "relay/app/config/listen_address.h"

namespace outbox::app {
namespace {

constexpr auto kPatience = std::chrono::seconds(5);
constexpr size_t kAnswerBytesMax = 16 * 1024 * 1024;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

struct FreeAddresses {
  void operator()(addrinfo* addresses) const { freeaddrinfo(addresses); }
};

/// What a relay that listens everywhere is reached at from the same machine.
std::string reachable(const std::string& host) {
  if (host == "0.0.0.0") return "127.0.0.1";
  if (host == "::") return "::1";
  return host;
}

core::Error unreachable(const ListenAddress& address, const std::string& why) {
  return core::Error{
      core::Fault::retry, "UNREACHABLE", "ask the relay at",
      to_string(address), why,           "Is it running? Start it with: outbox run --config FILE"};
}

/// False after the deadline, with errno ETIMEDOUT.
bool wait_for(int fd, short events, std::chrono::steady_clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd wanted{fd, events, 0};
    const int ready = left.count() <= 0 ? 0 : poll(&wanted, 1, static_cast<int>(left.count()));
    if (ready > 0) return true;
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) errno = ETIMEDOUT;
    return false;
  }
}

bool connect_to(int fd, const addrinfo& target, std::chrono::steady_clock::time_point deadline) {
  if (connect(fd, target.ai_addr, target.ai_addrlen) == 0) return true;
  if (errno != EINPROGRESS || !wait_for(fd, POLLOUT, deadline)) return false;
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  errno = error;
  return error == 0;
}

bool send_all(int fd, std::string_view bytes, std::chrono::steady_clock::time_point deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (sent < 0 && !wait_for(fd, POLLOUT, deadline)) return false;
  }
  return true;
}

bool receive_all(int fd, std::string& answer, std::chrono::steady_clock::time_point deadline) {
  char buffer[16 * 1024];
  while (answer.size() < kAnswerBytesMax) {
    const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    if (got == 0) return true;
    if (got > 0) answer.append(buffer, static_cast<size_t>(got));
    if (got < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (got < 0 && !wait_for(fd, POLLIN, deadline)) return false;
  }
  errno = EMSGSIZE;
  return false;
}

/// Splits what our own server sends: HTTP/1.0 was asked for, so the body ends with the connection.
core::Result<std::string> body_of(const std::string& answer, const ListenAddress& address) {
  const size_t end = answer.find("\r\n\r\n");
  unsigned status = 0;
  if (answer.starts_with("HTTP/1.") && answer.size() > 12) {
    std::from_chars(answer.data() + 9, answer.data() + 12, status);
  }
  if (end == std::string::npos || status == 0) {
    return unreachable(address, "what answers there is no relay");
  }
  std::string body = answer.substr(end + 4);
  if (status == 200) return body;
  return core::Error{
      core::Fault::reject,
      "HTTP_" + std::to_string(status),
      "ask the relay at",
      to_string(address),
      body.substr(0, 1000),
      status == 401 ? "The running relay has another [admin] token than this config" : ""};
}

}  // namespace

core::Result<std::string> fetch_admin(const AdminConfig& admin, const std::string& path) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(reachable(admin.listen.host).c_str(),
                                 std::to_string(admin.listen.port).c_str(), &hints, &found);
  const std::unique_ptr<addrinfo, FreeAddresses> target(found);
  if (failed != 0) return unreachable(admin.listen, gai_strerror(failed));

  const Socket socket(::socket(target->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  std::string request = "GET " + path + " HTTP/1.0\r\nHost: " + to_string(admin.listen) + "\r\n";
  if (!admin.token.empty()) request += "Authorization: Bearer " + admin.token.reveal() + "\r\n";
  request += "\r\n";
  std::string answer;
  const bool done = connect_to(socket.fd(), *target, deadline) &&
                    send_all(socket.fd(), request, deadline) &&
                    receive_all(socket.fd(), answer, deadline);
  if (!done) return unreachable(admin.listen, std::strerror(errno));
  return body_of(answer, admin.listen);
}

}  // namespace outbox::app
