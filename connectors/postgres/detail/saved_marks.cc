#include "connectors/postgres/detail/saved_marks.h"

#include <algorithm>

#include "connectors/postgres/detail/polled_position.h"
#include "relay/core/lsn.h"

namespace outbox::postgres {
namespace {

void put_event(core::Position event, SavedMarks& marks) {
  marks.commit_lsn = core::to_string(core::Lsn{event.major});
  marks.ordinal = std::to_string(event.minor);
}

}  // namespace

SavedMarks marks_of(const core::Progress& progress, Mode mode) {
  SavedMarks marks;
  switch (mode) {
    case Mode::wal:
      if (const auto seq = polled_number(progress)) {
        marks.delivered_seq = std::to_string(*seq);
        break;  // the LSNs stay as they were saved
      }
      marks.end_lsn = core::to_string(core::Lsn{progress.boundary.major});
      put_event(progress.settled, marks);
      break;
    case Mode::poll:
      // Rows come in the order of their numbers, all of them: each is as good an end as a boundary.
      marks.delivered_seq = std::to_string(std::max(progress.boundary, progress.settled).major);
      break;
    case Mode::status:
      break;
  }
  return marks;
}

SavedMarks marks_of_letter(core::Position event, Mode mode, const SharedSlot& shared) {
  SavedMarks marks;
  if (mode == Mode::poll) {
    marks.delivered_seq = std::to_string(event.major);
  } else if (mode == Mode::wal && shared.polled_since == core::Lsn{event.major}) {
    marks.delivered_seq = std::to_string(event.minor - 1);
  } else if (mode == Mode::wal) {
    put_event(event, marks);
  }
  return marks;
}

}  // namespace outbox::postgres
