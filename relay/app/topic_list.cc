#include "relay/app/topic_list.h"

#include "relay/core/assert.h"

namespace outbox::app {

const core::Destination& TopicList::destination(std::string_view name) {
  if (const auto known = ids_.find(name); known != ids_.end()) return all_[known->second];
  core::Destination& made = all_.emplace_back();
  made.name = name;
  made.id = static_cast<uint32_t>(all_.size() - 1);
  ids_.emplace(made.name, made.id);
  return made;
}

core::Admission TopicList::submit(const core::Delivery&, core::Now) {
  OUTBOX_ASSERT(false);
  return core::Admission::full;
}

}  // namespace outbox::app
