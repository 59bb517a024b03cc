#include "relay/app/secret.h"

#include <cstddef>

namespace outbox::app {

bool equal_in_constant_time(const Secret& secret, std::string_view offered) {
  const std::string& text = secret.reveal();
  if (text.empty()) return false;
  // `volatile` keeps the compiler from leaving the loop at the first difference.
  volatile unsigned char difference = text.size() == offered.size() ? 0 : 1;
  for (size_t i = 0; i < offered.size(); ++i) {
    const auto ours = static_cast<unsigned char>(text[i % text.size()]);
    const auto theirs = static_cast<unsigned char>(offered[i]);
    difference = static_cast<unsigned char>(difference | (ours ^ theirs));
  }
  return difference == 0;
}

}  // namespace outbox::app
