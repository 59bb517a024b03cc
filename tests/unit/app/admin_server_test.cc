// The admin server's bounds, over real sockets on loopback (fault table 6b, "API: ... 10 GB body,
// slow-loris, chunk-size -2, ...").

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string_view>
#include <thread>
#include <vector>

#include "relay/app/admin/client.h"
#include "relay/app/admin/server.h"

namespace outbox::app {
namespace {

using std::chrono::milliseconds;

HttpResponse echo(const HttpRequest& request) {
  if (request.target == "/throw") throw std::runtime_error("broken");
  return HttpResponse{200, "text/plain", request.method + " " + request.target, {}};
}

std::unique_ptr<AdminServer> server(AdminLimits limits = {}) {
  auto started = AdminServer::start({"127.0.0.1", 0}, echo, limits);
  EXPECT_TRUE(started);
  return std::move(*started);
}

/// A client that sends what it is told, byte for byte.
class Client {
 public:
  explicit Client(const AdminServer& to) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    timeval patience{5, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(to.port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  bool send(std::string_view bytes) const {
    return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  /// Everything until the server closes.
  std::string rest() const {
    std::string all;
    char buffer[4096];
    for (ssize_t got = 0; (got = recv(fd_, buffer, sizeof buffer, 0)) > 0;) {
      all.append(buffer, static_cast<size_t>(got));
    }
    return all;
  }
  std::string some() const {
    char buffer[4096];
    const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
    return std::string(buffer, got > 0 ? static_cast<size_t>(got) : 0);
  }

 private:
  int fd_;
  bool connected_ = false;
};

unsigned status_of(const std::string& answer) {
  return answer.starts_with("HTTP/1.")
             ? static_cast<unsigned>(std::strtoul(answer.c_str() + 9, nullptr, 10))
             : 0;
}

std::string ask(const AdminServer& to, std::string_view request) {
  const Client client(to);
  client.send(request);
  return client.rest();
}

TEST(AdminServerTest, AnswersOverOneConnectionAsOftenAsAsked) {
  const auto admin = server();
  const Client client(*admin);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.send("GET /status HTTP/1.1\r\nHost: x\r\n\r\n"));
    const std::string answer = client.some();
    EXPECT_EQ(status_of(answer), 200u);
    EXPECT_TRUE(answer.ends_with("GET /status")) << answer;
    EXPECT_NE(answer.find("X-Content-Type-Options: nosniff"), std::string::npos);
  }
}

TEST(AdminServerTest, HeadGetsTheHeadersOnly) {
  const auto admin = server();
  const std::string answer =
      ask(*admin, "HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(status_of(answer), 200u);
  EXPECT_NE(answer.find("Content-Length: 7\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST(AdminServerTest, ABodyOfTenGigabytesIs413AtOnce) {
  const auto admin = server();
  EXPECT_EQ(status_of(ask(*admin,
                          "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\nabc")),
            413u);
}

TEST(AdminServerTest, AnEndlessChunkedBodyIs413) {
  const auto admin = server();
  const Client client(*admin);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "1000\r\n" + std::string(0x1000, 'x') + "\r\n";
  for (int i = 0; i < 20 && client.send(chunk); ++i) continue;
  EXPECT_EQ(status_of(client.rest()), 413u);
}

TEST(AdminServerTest, ANegativeChunkSizeIs400) {
  const auto admin = server();
  EXPECT_EQ(status_of(ask(*admin,
                          "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "-2\r\nab\r\n")),
            400u);
}

TEST(AdminServerTest, HugeHeadersAre431) {
  const auto admin = server();
  EXPECT_EQ(status_of(ask(*admin, "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(20'000, 'a') +
                                      "\r\n\r\n")),
            431u);
}

TEST(AdminServerTest, WhatIsNoHttpIs400) {
  const auto admin = server();
  for (const char* nonsense : {"hello\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\r\n\r\n",
                               "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nNo Colon\r\n\r\n"}) {
    EXPECT_EQ(status_of(ask(*admin, nonsense)), 400u) << nonsense;
  }
}

TEST(AdminServerTest, ASlowLorisIs408WhenItsTimeIsUp) {
  AdminLimits limits;
  limits.patience = milliseconds(300);
  const auto admin = server(limits);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(status_of(ask(*admin, "GET / HTTP/1.1\r\nX-Slow: ")), 408u);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
}

TEST(AdminServerTest, AnIdleConnectionIsClosedWithoutAWord) {
  AdminLimits limits;
  limits.patience = milliseconds(200);
  const auto admin = server(limits);
  EXPECT_EQ(ask(*admin, ""), "");
}

TEST(AdminServerTest, WhoAsksIsServedAndTheConnectionThatWaitedLongestIsCut) {
  AdminLimits limits;
  limits.connections_max = 4;
  const auto admin = server(limits);
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 4; ++i) {
    slow.push_back(std::make_unique<Client>(*admin));
    ASSERT_TRUE(slow.back()->send("GET /a HTTP/1.1\r\nX-Slow: "));
  }
  EXPECT_EQ(status_of(ask(*admin, "GET /a HTTP/1.0\r\n\r\n")), 200u);
  EXPECT_EQ(slow[0]->rest(), "");
  ASSERT_TRUE(slow[3]->send("\r\n\r\n"));
  EXPECT_EQ(status_of(slow[3]->some()), 200u) << "only one had to go";
}

TEST(AdminServerTest, FiveHundredSilentConnectionsKeepNobodyOut) {
  const auto admin = server();
  std::vector<std::unique_ptr<Client>> silent;
  for (int i = 0; i < 500; ++i) {
    silent.push_back(std::make_unique<Client>(*admin));
    if (i % 50 > 0) continue;
    EXPECT_EQ(status_of(ask(*admin, "GET /a HTTP/1.0\r\n\r\n")), 200u) << i;
  }
}

TEST(AdminServerTest, AResponderThatThrowsIs500AndTheServerGoesOn) {
  const auto admin = server();
  EXPECT_EQ(status_of(ask(*admin, "GET /throw HTTP/1.0\r\n\r\n")), 500u);
  EXPECT_EQ(status_of(ask(*admin, "GET /a HTTP/1.0\r\n\r\n")), 200u);
}

TEST(AdminServerTest, AClientThatReadsNothingHoldsNobody) {
  const auto admin = server();
  std::vector<std::unique_ptr<Client>> rude;
  for (int i = 0; i < 20; ++i) {
    rude.push_back(std::make_unique<Client>(*admin));
    rude.back()->send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  EXPECT_EQ(status_of(ask(*admin, "GET /a HTTP/1.0\r\n\r\n")), 200u);
}

TEST(AdminServerTest, AnAddressInUseIsAnErrorThatNamesIt) {
  const auto first = server();
  const auto second = AdminServer::start({"127.0.0.1", first->port()}, echo);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, "ADDRESS_IN_USE");
  EXPECT_EQ(second.error().subject, "127.0.0.1:" + std::to_string(first->port()));
}

TEST(AdminServerTest, AnAddressOfAnotherMachineIsAnError) {
  const auto started = AdminServer::start({"192.0.2.1", 1}, echo);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, "LISTEN");
}

TEST(AdminServerTest, EndsAtOnceWithConnectionsOpen) {
  auto admin = server();
  const Client idle(*admin);
  idle.send("GET /a HTTP/1.1\r\nX-Slow: ");
  const auto begin = std::chrono::steady_clock::now();
  admin.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

TEST(AdminClientTest, FetchesABodyWithTheToken) {
  auto admin = AdminServer::start({"127.0.0.1", 0}, [](const HttpRequest& request) {
    return HttpResponse{200, "text/plain", request.authorization.value_or("none"), {}};
  });
  ASSERT_TRUE(admin);
  AdminConfig config;
  config.listen = {"0.0.0.0", (*admin)->port()};
  EXPECT_EQ(*fetch_admin(config, "/status"), "none");
  config.token = Secret("canary");
  EXPECT_EQ(*fetch_admin(config, "/status"), "Bearer canary");
}

TEST(AdminClientTest, TellsNobodyThereFromRefused) {
  AdminConfig config;
  {
    const auto gone = server();
    config.listen = {"127.0.0.1", gone->port()};
  }
  EXPECT_EQ(fetch_admin(config, "/status").error().code, "UNREACHABLE");
  auto refusing = AdminServer::start(
      {"127.0.0.1", 0}, [](const HttpRequest&) { return problem(401, "Unauthorized", "", ""); });
  ASSERT_TRUE(refusing);
  config.listen.port = (*refusing)->port();
  EXPECT_EQ(fetch_admin(config, "/status").error().code, "HTTP_401");
}

}  // namespace
}  // namespace outbox::app
