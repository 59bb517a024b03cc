#include "tests/conformance/sink/projection_world.h"

#include <cstdlib>

#include "connectors/postgres/projection_sink.h"
#include "tests/conformance/sink/kafka_world.h"
#include "tests/conformance/source/server.h"

namespace outbox::support {
namespace {

constexpr const char* kLandedTable =
    "create table landed (place bigserial, number text not null, flawed boolean not null);"
    "create function land(id uuid, aggregate_type text, aggregate_id text, event_type text,"
    " payload jsonb, headers jsonb) returns void language sql as $$"
    " insert into public.landed (number, flawed) values ($4, $5 = '\"flawed\"') $$;";

constexpr const char* kAtOnce = "alter table landed add check (not flawed);";

constexpr const char* kAtCommit =
    "create function refuse() returns trigger language plpgsql as $$ begin"
    " if new.flawed then raise check_violation using message = 'flawed'; end if; return null;"
    " end $$;"
    "create constraint trigger late after insert on landed deferrable initially deferred"
    " for each row execute function refuse();";

class ProjectionSubject : public SinkSubject {
 public:
  explicit ProjectionSubject(Check check) : sql_(database_.url()) {
    sql_.run(kLandedTable);
    sql_.run(check == Check::at_once ? kAtOnce : kAtCommit);
    postgres::ProjectionOptions options;
    options.url = database_.url();
    options.pipeline = "orders";
    options.kind = postgres::ProjectionKind::function;
    options.target = postgres::TableName{"public", "land"};
    sink_ = std::make_unique<postgres::ProjectionSink>(options);
  }
  core::Sink& sink() override { return *sink_; }
  void destroy_sink() override { sink_.reset(); }
  core::Now rest() override {
    if (sink_) {
      wait_for({sink_->interest(std::chrono::steady_clock::now())}, std::chrono::milliseconds(5));
    }
    return real_now();
  }
  std::string usable_name() override { return "public.land"; }
  std::string impossible_name() override { return "public.elsewhere"; }
  void flaw(EventSpec& spec) override { spec.payload = "\"flawed\""; }
  std::vector<uint64_t> landed() override {
    std::vector<uint64_t> numbers;
    for (const std::string& number : sql_.run("select number from landed order by place")) {
      numbers.push_back(std::strtoull(number.c_str(), nullptr, 10));
    }
    return numbers;
  }

 private:
  conformance::Database database_;
  conformance::Sql sql_;
  std::unique_ptr<core::Sink> sink_;
};

}  // namespace

std::unique_ptr<SinkSubject> make_projection_subject(Check check) {
  return std::make_unique<ProjectionSubject>(check);
}

}  // namespace outbox::support
