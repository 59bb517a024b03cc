// bench_bare: the least loop that takes events from Postgres to Kafka, with the two client
// libraries and nothing else: no order after a refusal, no progress, no confirmation, no dead
// letters. What it reaches is what the libraries and the machine allow; tests/bench/wal_drain.py
// runs it beside the relay.
//
// Like the relay it uses mimalloc, asks for binary columns, sends five headers of the same size,
// keeps 8,192 records on their way and naps 15 ms whenever the socket is empty. Ends with SIGTERM.

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <signal.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

constexpr uint64_t kOnTheirWayMax = 8192;
constexpr int kNapMs = 15;
constexpr size_t kXLogDataHeader = 25;  // 'w', start, end, time
// outbox.event's columns that make the record; the others become headers.
constexpr size_t kKeyColumn = 3;
constexpr size_t kPayloadColumn = 5;
constexpr std::array<std::pair<const char*, const char*>, 5> kHeaders{
    {{"id", "018d5b04-52d4-7d5a-8f33-0a52d1b7a001"},
     {"type", "OrderPlaced"},
     {"aggregate_type", "order"},
     {"position", "0/1A2B3C4D/12"},
     {"epoch", "1"}}};

volatile sig_atomic_t told_to_stop = 0;
uint64_t sent = 0;
uint64_t answered = 0;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "bench_bare: %s\n", what.c_str());
  std::exit(1);
}

void on_report(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_err2str(message->err));
  ++answered;
}

PGconn* open_stream(const std::string& url, const std::string& slot,
                    const std::string& publication) {
  PGconn* connection = PQconnectdb((url + "?replication=database").c_str());
  if (PQstatus(connection) != CONNECTION_OK) fail(PQerrorMessage(connection));
  const std::string start = "START_REPLICATION SLOT \"" + slot +
                            "\" LOGICAL 0/0 (proto_version '1', publication_names '" + publication +
                            "', binary 'true')";
  if (PQresultStatus(PQexec(connection, start.c_str())) != PGRES_COPY_BOTH) {
    fail(PQerrorMessage(connection));
  }
  return connection;
}

rd_kafka_t* open_producer(const std::string& bootstrap) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  std::array<char, 512> error{};
  const std::array<std::pair<const char*, const char*>, 6> settings{
      {{"bootstrap.servers", bootstrap.c_str()},
       {"enable.idempotence", "true"},
       {"linger.ms", "0"},
       {"partitioner", "murmur2_random"},
       {"queue.buffering.max.messages", "100000"},
       {"socket.nagle.disable", "true"}}};
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name, value, error.data(), error.size()) != RD_KAFKA_CONF_OK) {
      fail(error.data());
    }
  }
  rd_kafka_conf_set_dr_msg_cb(conf, on_report);
  rd_kafka_t* producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.data(), error.size());
  if (producer == nullptr) fail(error.data());
  return producer;
}

struct Row {
  std::string_view key;
  std::string_view payload;
};

/// An Insert message: 'I', table, 'N', the number of columns, then each with kind and length.
Row row_of(std::string_view insert) {
  Row row;
  size_t at = 8;
  for (size_t column = 0; column <= kPayloadColumn; ++column) {
    const char kind = insert.at(at++);
    if (kind != 'b' && kind != 't') continue;
    uint32_t size = 0;
    std::memcpy(&size, insert.data() + at, sizeof size);
    const std::string_view value = insert.substr(at + sizeof size, ntohl(size));
    if (column == kKeyColumn) row.key = value;
    if (column == kPayloadColumn) row.payload = value.substr(1);  // behind jsonb's version
    at += sizeof size + value.size();
  }
  return row;
}

void send(rd_kafka_t* producer, rd_kafka_topic_t* topic, std::string_view insert) {
  const Row row = row_of(insert);
  rd_kafka_headers_t* headers = rd_kafka_headers_new(kHeaders.size());
  for (const auto& [name, value] : kHeaders) rd_kafka_header_add(headers, name, -1, value, -1);
  const rd_kafka_resp_err_t error =
      rd_kafka_producev(producer, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                        RD_KAFKA_V_KEY(row.key.data(), row.key.size()),
                        RD_KAFKA_V_VALUE(const_cast<char*>(row.payload.data()), row.payload.size()),
                        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_err2str(error));
  ++sent;
}

/// Until the socket is empty or enough is on its way.
void drain(PGconn* connection, rd_kafka_t* producer, rd_kafka_topic_t* topic) {
  while (sent - answered < kOnTheirWayMax) {
    char* buffer = nullptr;
    const int size = PQgetCopyData(connection, &buffer, 1);
    if (size < 0) fail(PQerrorMessage(connection));
    if (size == 0) {
      pollfd socket{PQsocket(connection), POLLIN, 0};
      if (poll(&socket, 1, 0) <= 0) return;
      if (PQconsumeInput(connection) == 0) fail(PQerrorMessage(connection));
      rd_kafka_poll(producer, 0);
      continue;
    }
    const std::string_view message(buffer, static_cast<size_t>(size));
    if (message.size() > kXLogDataHeader && message[0] == 'w' && message[kXLogDataHeader] == 'I') {
      send(producer, topic, message.substr(kXLogDataHeader));
    }
    PQfreemem(buffer);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() != 4) fail("usage: bench_bare SLOT PUBLICATION BOOTSTRAP TOPIC");
  const char* url = std::getenv("DATABASE_URL");
  if (url == nullptr) fail("DATABASE_URL is not set");
  signal(SIGTERM, [](int) { told_to_stop = 1; });
  PGconn* connection = open_stream(url, arguments[0], arguments[1]);
  rd_kafka_t* producer = open_producer(arguments[2]);
  rd_kafka_topic_t* topic = rd_kafka_topic_new(producer, arguments[3].c_str(), nullptr);
  while (told_to_stop == 0) {
    drain(connection, producer, topic);
    rd_kafka_poll(producer, 0);
    poll(nullptr, 0, sent - answered < kOnTheirWayMax ? kNapMs : 1);
    rd_kafka_poll(producer, 0);
  }
  return rd_kafka_flush(producer, 10'000) == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : 1;
}
