#include "relay/app/log/log.h"

#include <poll.h>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <mutex>

#include "relay/app/log/line.h"
#include "relay/app/signals_blocked.h"

namespace outbox::app {
namespace {

constexpr size_t kQueueLines = 1024;
constexpr auto kLastWords = std::chrono::seconds(1);

/// Writes to a descriptor that may be a full pipe: waits for room, but never past the end of the
/// process's patience.
class DescriptorSink : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit DescriptorSink(int fd) : fd_(fd) {}

  /// From now on, waits at most this long for all lines together.
  void hurry(std::chrono::steady_clock::duration patience) {
    give_up_at_ = (std::chrono::steady_clock::now() + patience).time_since_epoch().count();
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    size_t at = 0;
    while (at < line.size() && writable()) {
      // A pipe with room takes this much at once, without blocking (pipe(7)).
      const size_t part = std::min<size_t>(line.size() - at, PIPE_BUF);
      const ssize_t put = ::write(fd_, line.data() + at, part);
      if (put < 0 && errno != EINTR && errno != EAGAIN) return;
      if (put > 0) at += static_cast<size_t>(put);
    }
  }

  void flush_() override {}

  bool writable() const {
    for (;;) {
      const bool hurried =
          std::chrono::steady_clock::now().time_since_epoch().count() > give_up_at_;
      pollfd wanted{fd_, POLLOUT, 0};
      if (::poll(&wanted, 1, hurried ? 0 : 100) > 0) return (wanted.revents & POLLOUT) != 0;
      if (hurried) return false;
    }
  }

  int fd_;
  std::atomic<std::chrono::steady_clock::rep> give_up_at_{
      std::chrono::steady_clock::time_point::max().time_since_epoch().count()};
};

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

struct Log::Inner {
  std::shared_ptr<DescriptorSink> sink;
  std::shared_ptr<spdlog::details::thread_pool> writer;
  std::shared_ptr<spdlog::async_logger> logger;
};

std::optional<LogLevel> parse_log_level(std::string_view text) {
  if (text == "debug") return LogLevel::debug;
  if (text == "info") return LogLevel::info;
  if (text == "warn") return LogLevel::warn;
  if (text == "error") return LogLevel::error;
  return std::nullopt;
}

Log::Log(const LogSettings& settings, int fd)
    : settings_(settings), inner_(std::make_unique<Inner>()) {
  const SignalsBlocked blocked;
  const char* pattern = settings.format == LogFormat::text
                            ? "%Y-%m-%dT%H:%M:%S.%eZ %l %v"
                            : R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})";
  inner_->sink = std::make_shared<DescriptorSink>(fd);
  inner_->sink->set_formatter(
      std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc));
  inner_->writer = std::make_shared<spdlog::details::thread_pool>(kQueueLines, 1);
  inner_->logger = std::make_shared<spdlog::async_logger>(
      "outbox", inner_->sink, inner_->writer, spdlog::async_overflow_policy::overrun_oldest);
  inner_->logger->set_level(to_spdlog(settings.level));
}

Log::~Log() {
  inner_->sink->hurry(kLastWords);
  inner_->writer.reset();  // joins, so that the logger's last owner is not the writer's thread
  inner_->logger.reset();
}

void Log::write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (!inner_->logger->should_log(to_spdlog(level))) return;
  const std::string line =
      settings_.format == LogFormat::text ? text_line(message, fields) : json_line(message, fields);
  inner_->logger->log(to_spdlog(level), spdlog::string_view_t(line));
}

void Log::debug(std::string_view message, std::initializer_list<LogField> fields) {
  write(LogLevel::debug, message, fields);
}
void Log::info(std::string_view message, std::initializer_list<LogField> fields) {
  write(LogLevel::info, message, fields);
}
void Log::warn(std::string_view message, std::initializer_list<LogField> fields) {
  write(LogLevel::warn, message, fields);
}
void Log::error(std::string_view message, std::initializer_list<LogField> fields) {
  write(LogLevel::error, message, fields);
}

uint64_t Log::dropped() const { return inner_->writer->overrun_counter(); }

}  // namespace outbox::app
