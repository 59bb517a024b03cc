"""What is refused, by publish() and by a direct insert alike, with an error that names the thing,
the number and the limit (fault matrix 6b). Every statement here runs as a writer."""

import json

import pytest

LIMIT = 33554432
INVALID, TOO_LONG, NULL_GIVEN = "22023", "22001", "22004"

COLUMNS = ("aggregate_type", "aggregate_id", "event_type", "payload", "payload_bytes", "headers")
GOOD = {"aggregate_type": "'order'", "aggregate_id": "'1'", "event_type": "'E'",
        "payload": "'{}'::jsonb", "payload_bytes": "null::bytea", "headers": "'{}'::jsonb"}

# (what is given, as SQL; SQLSTATE; what the message says; what the hint says)
NAMES = [
    ({"aggregate_type": "''"}, INVALID, "aggregate_type has 0 characters, allowed are 1 to 200",
     "249"),
    ({"aggregate_type": "repeat('x', 201)"}, INVALID,
     "aggregate_type has 201 characters, allowed are 1 to 200", "249"),
    ({"aggregate_type": "repeat('x', 250)"}, INVALID,
     "aggregate_type has 250 characters, allowed are 1 to 200", "249"),
    *(({"aggregate_type": f"E'{bad}'"}, INVALID, "cannot be part of a topic name",
       "a-z A-Z 0-9 . _ -")
      for bad in (".", "..", "two words", "größe", "a/b", "a\\nb", "a\\n", "\\t", "a:b", "😀",
                  "a,b", "a*")),
    ({"aggregate_id": "''"}, INVALID, "aggregate_id has 0 bytes, allowed are 1 to 1024", "NULL"),
    ({"aggregate_id": "repeat('k', 1025)"}, INVALID,
     "aggregate_id has 1025 bytes, allowed are 1 to 1024", "NULL"),
    ({"aggregate_id": "repeat('k', 4096)"}, INVALID,
     "aggregate_id has 4096 bytes, allowed are 1 to 1024", "NULL"),
    ({"aggregate_id": "repeat('é', 513)"}, INVALID,
     "aggregate_id has 1026 bytes, allowed are 1 to 1024", "NULL"),
    ({"event_type": "''"}, INVALID, "event_type has 0 bytes, allowed are 1 to 255", "OrderPlaced"),
    ({"event_type": "repeat('e', 256)"}, INVALID,
     "event_type has 256 bytes, allowed are 1 to 255", "OrderPlaced"),
    *(({"event_type": f"E'a{bad}b'"}, INVALID, "contains a control character", "printable")
      for bad in ("\\r", "\\n", "\\t", "\\x7f", "\\x01")),
]

PAYLOADS = [
    ({"payload": "null::jsonb", "payload_bytes": f"convert_to(repeat('x', {LIMIT + 1}), 'UTF8')"},
     TOO_LONG, f"payload_bytes is {LIMIT + 1} bytes, the limit is {LIMIT}", "Store it elsewhere"),
    ({"payload": f"to_jsonb(repeat('x', {LIMIT - 1}))"},
     TOO_LONG, f"payload is {LIMIT + 1} bytes as text, the limit is {LIMIT}", "Store it elsewhere"),
    # 16 bytes a number inside, 131,072 digits each outside.
    ({"payload": "(select jsonb_agg(1e131071::numeric) from generate_series(1, 300))"},
     TOO_LONG, "payload is 39322200 bytes as text", "Store it elsewhere"),
]


def header(name, value="v"):
    return json.dumps({name: value})


HEADERS = [
    *(("[]", "headers is a JSON array, it must be an object", "For example"),
      ('"x"', "headers is a JSON string, it must be an object", "For example"),
      ('["traceparent"]', "headers is a JSON array, it must be an object", "For example"),
      ('"traceparent"', "headers is a JSON string, it must be an object", "For example"),
      ("5", "headers is a JSON number, it must be an object", "For example"),
      ("null", "headers is a JSON null, it must be an object", "For example")),
    *((header(name), f"header '{name}' has a reserved name", "written by the relay")
      for name in ("id", "type", "aggregate_type", "position", "epoch", "ID", "Aggregate_Type")),
    (json.dumps({"a": "b", "type": "x", "z": "x" * 300}), "header 'type' has a reserved name",
     "written by the relay"),
    (header("n", 5), "header 'n' has a JSON number as its value", "as strings"),
    (header("n", True), "header 'n' has a JSON boolean as its value", "as strings"),
    (header("n", {"a": "b"}), "header 'n' has a JSON object as its value", "as strings"),
    (header("n", ["a"]), "header 'n' has a JSON array as its value", "as strings"),
    (header("traceparent", ["a"]), "header 'traceparent' has a JSON array", "as strings"),
    (header("n", "a\r\nSet-Cookie: b"), "header 'n' has a line break", "forge"),
    (header("n", "a\n"), "header 'n' has a line break", "forge"),
    (header("n", "\r"), "header 'n' has a line break", "forge"),
    (header("n", "x" * 300 + "\n"), "header 'n' has a line break", "forge"),
    (header("a\r\nb"), "has a name with a character that is not visible ASCII", "letters"),
    (header("a b"), "header 'a b' has a name with a character", "letters"),
    (header("größe"), "header 'größe' has a name with a character", "letters"),
    (header(""), "header '' has a name of 0 bytes, allowed are 1 to 255", "short"),
    (header("n" * 256), "has a name of 256 bytes, allowed are 1 to 255", "short"),
    (json.dumps({f"h{n}": "v" for n in range(101)}), "there are 101 headers, the limit is 100",
     "payload"),
    (json.dumps({f"h{n}": "v" for n in range(4000)}), "there are 4000 headers, the limit is 100",
     "payload"),
]


def refused_both_ways(shared, given, sqlstate, message, hint):
    values = {**GOOD, **given}
    overload = "payload" if values["payload_bytes"] == GOOD["payload_bytes"] else "payload_bytes"
    arguments = ", ".join(f"{name} => {values[name]}" for name in COLUMNS
                          if name == overload or not name.startswith("payload"))
    rows = shared.value("select last_value from outbox.event_seq")
    for statement in (f"select outbox.publish({arguments})",
                      f"insert into outbox.event ({', '.join(COLUMNS)}) values"
                      f" ({', '.join(values[name] for name in COLUMNS)})"):
        diag = shared.refusal(statement)
        assert diag.sqlstate == sqlstate, diag.message_primary
        assert diag.message_primary.startswith("outbox event refused: ")
        assert message in diag.message_primary
        assert hint in diag.message_hint
    assert shared.value("select count(*) from outbox.event where seq > %s", [rows]) == 0


@pytest.mark.parametrize("given, sqlstate, message, hint", NAMES, ids=lambda v: str(v)[:50])
def test_a_name_that_kafka_or_a_header_cannot_carry_is_refused(shared, given, sqlstate, message,
                                                              hint):
    refused_both_ways(shared, given, sqlstate, message, hint)


@pytest.mark.parametrize("given, sqlstate, message, hint", PAYLOADS,
                         ids=["bytes", "text", "numbers that grow when printed"])
def test_a_payload_over_32_mib_is_refused_with_both_numbers(shared, given, sqlstate, message, hint):
    refused_both_ways(shared, given, sqlstate, message, hint)


@pytest.mark.parametrize("headers, message, hint", HEADERS, ids=lambda v: str(v)[:50])
def test_headers_that_are_reserved_nested_or_unsafe_are_refused(shared, headers, message, hint):
    literal = headers.replace("'", "''")
    refused_both_ways(shared, {"headers": f"'{literal}'::jsonb"}, INVALID, message, hint)


def test_headers_over_64_kib_are_refused_with_both_numbers(shared):
    refused_both_ways(shared, {"headers": "jsonb_build_object('h', repeat('x', 65536))"}, TOO_LONG,
                      "headers are 65545 bytes as text, the limit is 65536", "payload")


@pytest.mark.parametrize("name", ["aggregate_type", "event_type"])
def test_null_names_are_refused_by_publish(shared, name):
    for overload, payload in (("payload", "'{}'::jsonb"), ("payload_bytes", "'\\x00'::bytea")):
        values = {"aggregate_type": "'order'", "event_type": "'E'", name: "null::text"}
        diag = shared.refusal(f"select outbox.publish({values['aggregate_type']}, '1',"
                              f" {values['event_type']}, {overload} => {payload})")
        assert (diag.sqlstate, diag.message_primary) == (
            NULL_GIVEN, f"outbox event refused: {name} is NULL")


@pytest.mark.parametrize("column", ["id", "aggregate_type", "event_type", "headers", "created_at"])
def test_null_in_a_column_that_needs_a_value_is_refused_by_the_table(shared, column):
    values = {**GOOD, "id": "gen_random_uuid()", "created_at": "now()", column: "null"}
    diag = shared.refusal(f"insert into outbox.event ({', '.join(values)})"
                          f" values ({', '.join(values.values())})")
    assert (diag.sqlstate, diag.column_name) == ("23502", column)


def test_both_payloads_at_once_are_refused(shared):
    diag = shared.refusal("insert into outbox.event (aggregate_type, event_type, payload,"
                          " payload_bytes) values ('order', 'E', '{}', '')")
    assert diag.sqlstate == INVALID
    assert diag.message_primary.endswith("both payload and payload_bytes are given")


@pytest.mark.parametrize("payload, sqlstate", [
    ("{not json}", "22P02"), ('{"a": "\\u0000"}', "22P05"), ("", "22P02"), ('{"a": NaN}', "22P02")])
def test_what_is_no_jsonb_is_refused_by_postgres(shared, payload, sqlstate):
    """NUL in text is impossible in Postgres; such content goes by payload_bytes."""
    assert shared.refusal("select outbox.publish('order', '1', 'E', %s)",
                          [payload]).sqlstate == sqlstate


def test_a_json_of_depth_100_000_is_refused_by_postgres_as_jsonb(shared):
    diag = shared.refusal("select outbox.publish('order', '1', 'E',"
                          " repeat('[', 100000) || repeat(']', 100000))")
    assert diag.sqlstate == "54001"


def test_a_number_for_a_key_is_refused_with_the_signature(shared):
    diag = shared.refusal("select outbox.publish('order', 17, 'E', '{}')")
    assert diag.sqlstate == "42883" and "outbox.publish" in diag.message_primary


@pytest.mark.parametrize("created_at", ["infinity", "-infinity", "4713-01-01 00:00 BC",
                                        "294276-12-31 23:59:59.999999", "2999-01-01"])
def test_any_created_at_is_taken_because_the_commit_time_counts(shared, created_at):
    shared.execute("insert into outbox.event (aggregate_type, aggregate_id, event_type, created_at)"
                   " values ('order', %s, 'E', %s)", [created_at, created_at], role="writer")
    assert shared.value("select count(*) from outbox.event where aggregate_id = %s"
                        " and created_at = %s", [created_at, created_at]) == 1


def test_one_refused_event_takes_its_transaction_along(shared):
    with shared.as_role("writer", autocommit=False) as cursor:
        cursor.execute("select outbox.publish('order', 'atomic', 'E', '{}')")
        with pytest.raises(Exception, match="cannot be part of a topic name"):
            cursor.execute("select outbox.publish('not a topic', 'atomic', 'E', '{}')")
        cursor.connection.rollback()
    assert shared.value("select count(*) from outbox.event where aggregate_id = 'atomic'") == 0


def test_a_writer_cannot_put_operators_of_its_own_under_the_rules(schema):
    """The rule's function has a pinned search_path, so direct inserts cannot get round it."""
    writer = schema.logins["writer"]
    schema.execute(f"create schema trap authorization {writer}")
    with schema.as_role("writer") as cursor:
        cursor.execute("""
            create function trap.never(text, text) returns boolean language sql as 'select false';
            create function trap.length(text) returns integer language sql as 'select 5';
            create operator trap.~ (leftarg = text, rightarg = text, function = trap.never);
            set search_path = trap, pg_catalog""")
        for statement in (
                "insert into outbox.event (aggregate_type, event_type) values ('no topic', 'E')",
                "select outbox.publish('no topic'::text, '1'::text, 'E'::text, '{}'::jsonb)"):
            with pytest.raises(Exception, match="cannot be part of a topic name"):
                cursor.execute(statement)
