#include "connectors/postgres/detail/capture_payload.h"

#include "connectors/postgres/detail/json_text.h"

namespace outbox::postgres {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Anything else that Postgres prints for a number is NaN or an infinity.
bool is_json_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && is_digit(text.front());
}

template <typename Out>
class Payload {
 public:
  Payload(const CapturedEvent& event, const CaptureTable& table, Out& out)
      : event_(event), change_(event.change), table_(table), columns_(table.columns()), out_(out) {
    out_.put(R"({"operation":)");
    put_operation();
    out_.put(R"(,"table":)");
    put_json_string(table.name(), out_);
    out_.put(R"(,"before":)");
    put_before();
    out_.put(R"(,"after":)");
    put_after();
    put_unchanged();
    out_.put("}");
  }

 private:
  void put_operation() {
    switch (change_.operation) {
      case Operation::insert:
        return out_.put(R"("insert")");
      case Operation::update:
        return out_.put(R"("update")");
      case Operation::erase:
        return out_.put(R"("delete")");
    }
  }

  void put_before() {
    const bool told = change_.operation == Operation::erase ||
                      (change_.operation == Operation::update && event_.rule->before &&
                       change_.old_kind == OldRow::full);
    if (!told) return out_.put("null");
    put_row([&](size_t column) { return table_.before(change_, column); });
  }

  void put_after() {
    if (!change_.has_after()) return out_.put("null");
    put_row([&](size_t column) { return table_.after(change_, column); });
  }

  template <typename CellOf>
  void put_row(CellOf cell_of) {
    const char* separator = "{";
    for (const size_t column : event_.columns) {
      const Cell cell = cell_of(column);
      if (!cell.known()) continue;
      out_.put(separator);
      out_.put(columns_[column].member);
      put_value(cell, columns_[column].form);
      separator = ",";
    }
    out_.put(*separator == '{' ? "{}" : "}");
  }

  void put_value(const Cell& cell, JsonForm form) {
    if (cell.kind == Cell::Kind::null) return out_.put("null");
    switch (form) {
      case JsonForm::truth:
        return out_.put(cell.text == "t" ? "true" : "false");
      case JsonForm::json:
        return out_.put(cell.text);
      case JsonForm::number:
        if (is_json_number(cell.text)) return out_.put(cell.text);
        break;
      case JsonForm::text:
      case JsonForm::blank_padded:
      case JsonForm::address:
        break;
    }
    put_json_string(cell.text, out_, text_suffix(cell.text, form));
  }

  void put_unchanged() {
    if (!change_.has_after()) return;
    const char* separator = R"(,"unchanged":[)";
    bool any = false;
    for (const size_t column : event_.columns) {
      if (table_.after(change_, column).known()) continue;
      out_.put(separator);
      put_json_string(columns_[column].name, out_);
      separator = ",";
      any = true;
    }
    if (any) out_.put("]");
  }

  const CapturedEvent& event_;
  const RowChange& change_;
  const CaptureTable& table_;
  std::span<const CapturedColumn> columns_;
  Out& out_;
};

}  // namespace

JsonForm json_form(uint32_t type) {
  switch (type) {
    case 16:
      return JsonForm::truth;
    case 20:    // int8
    case 21:    // int2
    case 23:    // int4
    case 700:   // float4
    case 701:   // float8
    case 1700:  // numeric
      return JsonForm::number;
    case 114:   // json
    case 3802:  // jsonb
      return JsonForm::json;
    case 1042:  // char(n)
      return JsonForm::blank_padded;
    case 869:  // inet
      return JsonForm::address;
    default:
      return JsonForm::text;
  }
}

std::string json_member(std::string_view name) {
  std::string member;
  StringWriter out{member};
  put_json_string(name, out);
  return member + ":";
}

size_t payload_bytes(const CapturedEvent& event, const CaptureTable& table) {
  ByteCount count;
  Payload payload(event, table, count);
  return count.bytes;
}

void write_payload(const CapturedEvent& event, const CaptureTable& table, char* to) {
  ByteWriter writer{to};
  Payload payload(event, table, writer);
}

}  // namespace outbox::postgres
