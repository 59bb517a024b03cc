// What the admin server answers, and to whom (fault table 6b, "API: no/bad token, ... method,
// ...").

#include "relay/app/admin/respond.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/app/admin_fixture.h"

namespace outbox::app {
namespace {

HttpRequest get(const std::string& target) { return {"GET", target, "127.0.0.1:9187", {}}; }

HttpResponse answer(const HttpRequest& request, std::vector<PipelineView> pipelines,
                    const Secret& token = {}) {
  return respond(request, token, [&] { return view_of(pipelines); });
}

HttpResponse answer(const HttpRequest& request, const Secret& token = {}) {
  return answer(request, {healthy_pipeline(), waiting_pipeline()}, token);
}

TEST(RespondTest, StatusIsJsonOfEveryPipeline) {
  const HttpResponse response = answer(get("/status"));
  EXPECT_EQ(response.status, 200u);
  EXPECT_EQ(response.content_type, "application/json");
  const auto json = nlohmann::json::parse(response.body);
  EXPECT_EQ(json["version"], "0.1.0");
  const auto& orders = json["pipelines"][0];
  EXPECT_EQ(orders["state"], "ok");
  EXPECT_EQ(orders["lag"]["seconds"], 0.25);
  EXPECT_EQ(orders["lag"]["events"], 1200);
  EXPECT_EQ(orders["slot"]["retained_bytes"], 16'777'216);
  EXPECT_TRUE(orders["slot"]["safe_wal_size_bytes"].is_null());
  EXPECT_EQ(orders["totals"]["delivered"], 41);
  EXPECT_EQ(orders["totals"]["dead_lettered"], 2);
  EXPECT_EQ(orders["trend"]["drain_seconds"], 2.4);
  EXPECT_EQ(orders["last_tick_seconds_ago"], 1.0);
  const auto& bills = json["pipelines"][1];
  EXPECT_TRUE(bills["lag"]["events"].is_null()) << "not known is not zero";
  EXPECT_EQ(bills["newest_refusal"]["code"], "MSG_SIZE_TOO_LARGE");
}

TEST(RespondTest, ReadyzIs200OnlyWhenEveryPipelineIsOk) {
  EXPECT_EQ(answer(get("/readyz"), {healthy_pipeline()}).status, 200u);
  const HttpResponse response = answer(get("/readyz"));
  EXPECT_EQ(response.status, 503u);
  EXPECT_NE(response.body.find("bills is waiting: slot outbox_bills is active for PID 4711"),
            std::string::npos);
}

TEST(RespondTest, HealthzFailsWhenALoopIsDeadAndNotWhenADependencyIs) {
  EXPECT_EQ(answer(get("/healthz")).status, 200u) << "bills only waits";
  PipelineView dead = healthy_pipeline();
  dead.snapshot.ticked_at = moment(89);
  const HttpResponse response = answer(get("/healthz"), {dead, waiting_pipeline()});
  EXPECT_EQ(response.status, 503u);
  EXPECT_NE(response.body.find("orders"), std::string::npos);
  EXPECT_EQ(response.body.find("bills"), std::string::npos);
}

TEST(RespondTest, ThePageShowsThePipelinesEscapedAndRunsNoScript) {
  const HttpResponse response = answer(get("/"));
  EXPECT_EQ(response.status, 200u);
  EXPECT_NE(response.body.find("orders"), std::string::npos);
  EXPECT_NE(response.body.find("PID 4711 &lt;b&gt;"), std::string::npos);
  EXPECT_EQ(response.body.find("<script"), std::string::npos);
  EXPECT_EQ(response.body.find("style="), std::string::npos);
  ASSERT_EQ(response.headers.size(), 1u);
  EXPECT_EQ(response.headers[0].first, "Content-Security-Policy");
  EXPECT_TRUE(response.headers[0].second.starts_with("default-src 'none'; style-src 'self'"));
  EXPECT_EQ(answer(get("/style.css")).content_type, "text/css; charset=utf-8");
}

TEST(RespondTest, WithATokenNothingIsShownWithoutIt) {
  const Secret token("canary-token-0123456789");
  for (const std::string path : {"/", "/status", "/metrics", "/healthz", "/readyz", "/nope"}) {
    HttpRequest request = get(path);
    for (const std::optional<std::string>& offered :
         {std::optional<std::string>(), std::optional<std::string>("Bearer wrong"),
          std::optional<std::string>("Basic canary-token-0123456789"),
          std::optional<std::string>("canary-token-0123456789"),
          std::optional<std::string>("Bearer canary-token-012345678")}) {
      request.authorization = offered;
      const HttpResponse response = answer(request, token);
      EXPECT_EQ(response.status, 401u) << path;
      EXPECT_EQ(response.body.find("orders"), std::string::npos);
      EXPECT_EQ(response.body.find("canary"), std::string::npos);
    }
    request.authorization = "Bearer canary-token-0123456789";
    EXPECT_NE(answer(request, token).status, 401u) << path;
  }
}

TEST(RespondTest, WithATokenAnyHostNameWillDo) {
  HttpRequest request = get("/healthz");
  request.host = "relay.example:9187";
  request.authorization = "Bearer canary-token-0123456789";
  EXPECT_EQ(answer(request, Secret("canary-token-0123456789")).status, 200u);
}

TEST(RespondTest, WithoutATokenAWebPageOfAnotherNameIsRefused) {
  HttpRequest request = get("/status");
  for (const std::string host :
       {"127.0.0.1:9187", "127.0.0.1", "localhost:9187", "[::1]:1", "::1:9187", ""}) {
    request.host = host;
    EXPECT_EQ(answer(request).status, 200u) << host;
  }
  for (const std::string host : {"evil.example", "evil.example:9187", "localhost.evil.example"}) {
    request.host = host;
    EXPECT_EQ(answer(request).status, 403u) << host;
  }
}

TEST(RespondTest, AnythingButReadingIs405) {
  for (const std::string method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"}) {
    HttpRequest request = get("/status");
    request.method = method;
    const HttpResponse response = answer(request);
    EXPECT_EQ(response.status, 405u);
    EXPECT_EQ(response.headers[0], (std::pair<std::string, std::string>("Allow", "GET, HEAD")));
  }
}

TEST(RespondTest, UnknownPathsAre404WithAHint) {
  for (const std::string path : {"/../etc/passwd", "/statsu", "", "//", "/status/", "/%2e%2e/"}) {
    const HttpResponse response = answer(get(path));
    EXPECT_EQ(response.status, 404u) << path;
    EXPECT_EQ(response.content_type, "application/problem+json");
    EXPECT_NE(nlohmann::json::parse(response.body)["hint"], "");
  }
  EXPECT_NE(answer(get("/statsu")).body.find("Did you mean \\\"/status\\\"?"), std::string::npos);
}

TEST(RespondTest, AQueryIsIgnored) { EXPECT_EQ(answer(get("/healthz?x=1")).status, 200u); }

}  // namespace
}  // namespace outbox::app
