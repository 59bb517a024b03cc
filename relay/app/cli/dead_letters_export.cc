#include <ostream>

#include "relay/app/cli/dead_letters.h"
#include "relay/app/cli/letter_json.h"

namespace outbox::app {
namespace {

// Letters of one page are in memory together; the connector bounds their bytes, too.
constexpr uint64_t kPage = 500;

core::Result<uint64_t> export_desk(const LetterWork& work, const LetterDesk& desk) {
  core::LetterQuery query;
  query.filter = work.letters().filter;
  query.states = work.letters().states;
  query.parts = core::LetterParts::payload;
  query.order = core::LetterQuery::Order::oldest_first;
  query.limit = kPage;
  uint64_t written = 0;
  while (work.terminal.out) {
    const auto page = desk.calls.page(query);
    if (!page) return page.error();
    if (page->empty()) break;
    for (const core::Letter& letter : *page) work.terminal.out << json_of(letter) << '\n';
    written += page->size();
    query.after = page->back().letter;
  }
  return written;
}

}  // namespace

ExitCode export_letters(const LetterWork& work) {
  uint64_t written = 0;
  ExitCode exit = ExitCode::ok;
  for (const LetterDesk& desk : work.desks) {
    const auto count = export_desk(work, desk);
    if (count) {
      written += *count;
    } else {
      exit = work.report(count.error());
    }
  }
  if (exit == ExitCode::ok && written == 0) return work.nothing("no dead letter matches");
  return exit;
}

}  // namespace outbox::app
