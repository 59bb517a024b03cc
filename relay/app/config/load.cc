#include "relay/app/config/load.h"

#include <algorithm>
#include <utility>

#include "relay/app/config/cross_checks.h"
#include "relay/app/config/document.h"
#include "relay/app/config/sections.h"

namespace outbox::app {
namespace {

constexpr size_t kNameBytesMax = 63;

/// Entries of [source.*] or [sink.*].
std::vector<const Entry*> named_sections(TableReader& root, const std::string& kind) {
  std::vector<const Entry*> sections;
  const Node* all = root.table(kind);
  if (all == nullptr) return sections;
  bool noted = false;
  for (const Entry& entry : all->entries) {
    if (entry.value.kind == NodeKind::table) {
      sections.push_back(&entry);
      continue;
    }
    if (std::exchange(noted, true)) continue;
    root.context().note(entry.place, quoted(entry.key) + " stands right in [" + kind + "]",
                        "Each " + kind + " has a name: write [" + kind + ".shop] above it.");
  }
  return sections;
}

Sections read_sections(TableReader& root, const PropertyCheck& check) {
  Sections sections;
  LoadContext& context = root.context();
  for (const Entry* entry : named_sections(root, "source")) {
    sections.sources.push_back(read_source(*entry, context));
  }
  for (const Entry* entry : named_sections(root, "sink")) {
    sections.sinks.push_back(read_sink(*entry, context, check));
  }
  if (const Node* pipelines = root.tables("pipeline")) {
    for (const Node& table : pipelines->items) {
      sections.pipelines.push_back(read_pipeline(table, sections.sinks, context));
    }
  }
  return sections;
}

void check_all(const Sections& sections, LoadContext& context) {
  if (sections.pipelines.empty()) {
    context.note({}, "there is no pipeline, so nothing to run",
                 "Add [[pipeline]] with name, source and sink.");
  }
  check_references(sections, context);
  check_slots(sections, context);
  for (const PlacedPipeline& pipeline : sections.pipelines) check_routes(pipeline, context);
  check_failures(sections, context);
  check_projections(sections, context);
}

template <typename Placed, typename Plain>
void take(std::vector<Placed>& from, std::vector<Plain>& into) {
  for (Placed& placed : from) into.push_back(std::move(placed.config));
}

}  // namespace

void check_name(const std::string& name, const std::string& title, Place place,
                LoadContext& context) {
  const bool legal = !name.empty() && name.size() <= kNameBytesMax &&
                     std::all_of(name.begin(), name.end(), [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '_' || c == '-';
                     });
  if (legal) return;
  context.note(place, "the name in " + title + " cannot be used",
               "1 to 63 of letters, digits, \"_\" and \"-\".");
}

Loaded parse_config(std::string_view toml, const std::string& file, const LoadSettings& settings) {
  Loaded loaded;
  LoadContext context{loaded.problems, settings.surroundings};
  const std::optional<Node> document = parse_document(toml, loaded.problems);
  if (!document) return loaded;

  Config config;
  config.file = file;
  TableReader root(*document, {}, "the config", context);
  root.table("admin");
  for (const Entry& entry : document->entries) {
    const bool admin = entry.key == "admin" && entry.value.kind == NodeKind::table;
    if (admin) config.admin = read_admin(entry, context);
  }
  Sections sections = read_sections(root, settings.check_properties);
  root.later({"reconcile", "lease", "endpoint", "call", "region"});
  root.finish();
  check_all(sections, context);

  sort_by_place(loaded.problems);
  if (!loaded.problems.empty()) return loaded;
  take(sections.sources, config.sources);
  take(sections.sinks, config.sinks);
  take(sections.pipelines, config.pipelines);
  loaded.config = std::move(config);
  return loaded;
}

Loaded load_config(const std::string& file, const LoadSettings& settings) {
  const auto text = read_file(file, kDocumentBytesMax);
  if (text) return parse_config(*text, file, settings);
  Loaded loaded;
  loaded.problems.push_back(
      {{}, "cannot read the config: " + text.error().detail, "Give its path: --config FILE."});
  return loaded;
}

}  // namespace outbox::app
