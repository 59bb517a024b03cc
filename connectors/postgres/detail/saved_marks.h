#pragma once
// SavedMarks: progress as outbox.progress_save takes it, in text. Whatever saves progress says it
// in these words: the store after events settled, the journal with letters that block their key.
//
// Pure; the pipeline's thread.

#include <optional>
#include <string>

#include "connectors/postgres/detail/shared_slot.h"
#include "connectors/postgres/options.h"
#include "relay/core/checkpoint.h"
#include "relay/core/position.h"

namespace outbox::postgres {

/// "0/0" and 0 leave what is stored as it is; so does an absent number.
struct SavedMarks {
  std::string end_lsn = "0/0";
  std::string commit_lsn = "0/0";
  std::string ordinal = "0";
  std::optional<std::string> delivered_seq;
};

SavedMarks marks_of(const core::Progress& progress, Mode mode);

/// All up to this event is settled; of transactions and numbers behind it nothing is known.
SavedMarks marks_of_letter(core::Position event, Mode mode, const SharedSlot& shared);

}  // namespace outbox::postgres
