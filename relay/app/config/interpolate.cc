#include "relay/app/config/interpolate.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "relay/app/config/problem.h"

namespace outbox::app {
namespace {

constexpr size_t kSecretFileBytesMax = 64 * 1024;
constexpr std::string_view kFilePrefix = "file:";

core::Error refusal(std::string code, std::string detail, std::string hint) {
  return core::Error{core::Fault::reject, std::move(code), "fill in", "",
                     std::move(detail),   std::move(hint)};
}

bool variable_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

core::Result<std::string> value_of_file(std::string_view path, const Surroundings& surroundings) {
  if (path.empty() || path[0] != '/') {
    return refusal("FILE_PATH", "${file:...} needs an absolute path",
                   "Write ${file:/run/secrets/name}.");
  }
  auto content = surroundings.file(std::string(path));
  if (!content) {
    return refusal("FILE_UNREADABLE", "cannot read " + quoted(path) + ": " + content.error().detail,
                   "Create it, readable by the user that runs outbox.");
  }
  std::string value = std::move(*content);
  if (value.ends_with('\n')) value.pop_back();
  if (value.ends_with('\r')) value.pop_back();
  if (value.find('\0') != std::string::npos) {
    return refusal("FILE_BINARY", "the file " + quoted(path) + " holds a NUL byte",
                   "It must be text.");
  }
  return value;
}

core::Result<std::string> value_of(std::string_view name, const Surroundings& surroundings) {
  if (name.starts_with(kFilePrefix)) {
    return value_of_file(name.substr(kFilePrefix.size()), surroundings);
  }
  if (!variable_name(name)) {
    return refusal("PLACEHOLDER", "unknown placeholder ${" + std::string(name.substr(0, 60)) + "}",
                   "At load ${CAPITALS} is filled in from the environment and ${file:/path} from a "
                   "file; ${aggregate_type} stands in `topic` only.");
  }
  auto value = surroundings.variable(std::string(name));
  if (!value) {
    return refusal("VARIABLE_UNSET",
                   "the environment variable " + std::string(name) + " is not set",
                   "Set it, or write ${file:/path} to read the value from a file.");
  }
  return *value;
}

}  // namespace

core::Result<std::string> read_file(const std::string& path, size_t bytes_max) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const auto failed = [&](const char* why) {
    if (fd >= 0) close(fd);
    return core::Error{core::Fault::reject, "FILE_UNREADABLE", "read", path, why, ""};
  };
  if (fd < 0) return failed(std::strerror(errno));
  struct stat facts {};
  if (fstat(fd, &facts) == 0 && S_ISDIR(facts.st_mode)) return failed("it is a directory");
  std::string content;
  char buffer[16 * 1024];
  for (;;) {
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(std::strerror(errno));
    if (got == 0) break;
    content.append(buffer, static_cast<size_t>(got));
    if (content.size() > bytes_max) return failed("it is too large");
  }
  close(fd);
  return content;
}

Surroundings process_surroundings() {
  Surroundings surroundings;
  surroundings.variable = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
  surroundings.file = [](const std::string& path) { return read_file(path, kSecretFileBytesMax); };
  return surroundings;
}

core::Result<Interpolated> interpolate(std::string_view text, Placeholders placeholders,
                                       const Surroundings& surroundings) {
  Interpolated result;
  size_t at = 0;
  while (at < text.size()) {
    const size_t begin = text.find("${", at);
    if (begin == std::string_view::npos) break;
    const size_t end = text.find('}', begin);
    if (end == std::string_view::npos) {
      return refusal("PLACEHOLDER", "a placeholder is not closed", "Add the missing \"}\".");
    }
    result.value += text.substr(at, begin - at);
    const std::string_view name = text.substr(begin + 2, end - begin - 2);
    at = end + 1;
    const bool group = !name.empty() && name.front() >= 'a' && name.front() <= 'z' &&
                       name.find(':') == std::string_view::npos;
    if ((placeholders == Placeholders::per_event && name == "aggregate_type") ||
        (placeholders == Placeholders::groups && group)) {
      result.value += text.substr(begin, at - begin);
      continue;
    }
    auto value = value_of(name, surroundings);
    if (!value) return value.error();
    result.value += *value;
    result.filled_in = true;
  }
  result.value += text.substr(at);
  return result;
}

}  // namespace outbox::app
