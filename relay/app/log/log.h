#pragma once
// Log: one line an occurrence, to stderr, never one an event. Written by a thread of its own from a
// bounded queue: when stderr is blocked (a full pipe, a stopped terminal) the oldest lines are
// dropped and counted, and no caller ever waits.
//
//   log.info("pipeline started", {{"pipeline", name}, {"slot", slot}});
//   2026-11-21T11:44:00.123Z info pipeline started pipeline=orders slot=outbox_shop
//   {"time":"2026-11-21T11:44:00.123Z","level":"info","message":"pipeline started", ...}
//
// Thread: any thread may write. Lifetime: the destructor gives what is queued one second to come
// out. Values are escaped, so that nothing that an event or a server says can forge a line.

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace outbox::app {

enum class LogLevel { debug, info, warn, error };
enum class LogFormat { text, json };

std::optional<LogLevel> parse_log_level(std::string_view text);

struct LogSettings {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
};

struct LogField {
  std::string_view name;  // a plain word
  std::string value;
};

class Log {
 public:
  /// Writes to file descriptor `fd`, which stays the caller's.
  explicit Log(const LogSettings& settings, int fd = 2);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void debug(std::string_view message, std::initializer_list<LogField> fields = {});
  void info(std::string_view message, std::initializer_list<LogField> fields = {});
  void warn(std::string_view message, std::initializer_list<LogField> fields = {});
  void error(std::string_view message, std::initializer_list<LogField> fields = {});

  /// Lines that found the queue full.
  uint64_t dropped() const;

 private:
  struct Inner;
  void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields);

  LogSettings settings_;
  std::unique_ptr<Inner> inner_;
};

}  // namespace outbox::app
