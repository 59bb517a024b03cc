#include <cmath>
#include <string_view>

#include "relay/app/admin/view.h"
#include "relay/app/numbers.h"

namespace outbox::app {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string cell(const std::string& text) { return "<td>" + escaped(text) + "</td>"; }
std::string number(const std::string& text) { return "<td class=\"n\">" + escaped(text) + "</td>"; }

/// The word that the page shows and colours by.
const char* mood(const AdminView& view, const PipelineSnapshot& pipeline) {
  if (loop_is_dead(view, pipeline)) return "dead";
  return to_string(pipeline.state);
}

std::string pipeline_row(const AdminView& view, const PipelineView& pipeline) {
  const PipelineSnapshot& now = pipeline.snapshot;
  const std::string state = mood(view, now);
  std::string row = "<tr class=\"" + state + "\"><th scope=\"row\">" + escaped(now.name) + "</th>";
  row += cell(state) + cell(shown_reason(pipeline));
  row += number(readable_seconds(now.lag.seconds));
  row += number(readable_count(now.lag.events)) + number(readable_bytes(now.lag.wal_bytes));
  row +=
      number(readable_count(static_cast<uint64_t>(std::llround(pipeline.trend.events_per_second))));
  row +=
      number(pipeline.trend.growing ? "growing" : readable_seconds(pipeline.trend.drain_seconds));
  row += number(readable_count(now.delivered()));
  row += number(readable_count(now.dead_lettered())) + number(readable_count(now.skipped()));
  row += number(readable_bytes(now.slot.retained_bytes));
  row += number(now.slot.safe_wal_size_bytes
                    ? readable_bytes(static_cast<uint64_t>(
                          *now.slot.safe_wal_size_bytes > 0 ? *now.slot.safe_wal_size_bytes : 0))
                    : "no limit");
  return row + "</tr>\n";
}

std::string refusal_item(const PipelineSnapshot& pipeline) {
  if (!pipeline.newest_refusal) return "";
  const RefusalSnapshot& refusal = *pipeline.newest_refusal;
  return "<li><b>" + escaped(pipeline.name) + "</b> at " + escaped(refusal.position) + ": " +
         escaped(refusal.cause.code) + ", " + escaped(refusal.cause.detail) + "</li>\n";
}

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<meta name="viewport" content="width=device-width"><title>Outbox Relay</title>
<link rel="stylesheet" href="/style.css"></head><body><h1>Outbox Relay</h1>
)";

constexpr std::string_view kTableHead =
    "<table><caption>Pipelines</caption><thead><tr><th scope=\"col\">Pipeline</th>"
    "<th scope=\"col\">State</th><th scope=\"col\">Reason</th><th scope=\"col\">Lag</th>"
    "<th scope=\"col\">Events behind</th><th scope=\"col\">WAL behind</th>"
    "<th scope=\"col\">Events/s</th><th scope=\"col\">Drained in</th>"
    "<th scope=\"col\">Delivered</th><th scope=\"col\">Dead letters</th>"
    "<th scope=\"col\">Skipped</th><th scope=\"col\">WAL kept by slot</th>"
    "<th scope=\"col\">Slot is lost after</th></tr></thead><tbody>\n";

}  // namespace

std::string page_html(const AdminView& view) {
  std::string html(kHead);
  html += "<p>Version " + escaped(view.version) + ", process " + std::to_string(view.process.pid) +
          ", up " + readable_seconds(view.process.uptime_seconds) + ", " +
          readable_bytes(view.process.resident_bytes) + " resident, " +
          readable_seconds(view.process.cpu_seconds) + " CPU.</p>\n";
  html += kTableHead;
  for (const PipelineView& pipeline : view.pipelines) html += pipeline_row(view, pipeline);
  html += "</tbody></table>\n";
  std::string refusals;
  for (const PipelineView& pipeline : view.pipelines) refusals += refusal_item(pipeline.snapshot);
  if (!refusals.empty()) html += "<h2>Newest refusals</h2><ul>\n" + refusals + "</ul>\n";
  html +=
      "<p>This page shows itself anew every two seconds. For programs: "
      "<a href=\"/status\">/status</a>, <a href=\"/metrics\">/metrics</a>, "
      "<a href=\"/healthz\">/healthz</a>, <a href=\"/readyz\">/readyz</a>.</p></body></html>\n";
  return html;
}

std::string page_css() {
  return R"(:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; }
table { border-collapse: collapse; }
caption { text-align: left; font-weight: bold; padding: .5rem 0; }
th, td { border: 1px solid #8886; padding: .3rem .6rem; text-align: left; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.ok > th { border-left: .4rem solid #2a7f3b; }
tr.starting > th, tr.waiting > th { border-left: .4rem solid #b8860b; }
tr.stopped > th, tr.dead > th { border-left: .4rem solid #b3261e; }
)";
}

}  // namespace outbox::app
