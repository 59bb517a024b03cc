"""outbox.publish(): what goes in comes out, whatever it is (fault matrix 6b)."""

import json
import time
import uuid

import psycopg2
import pytest

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER_TRACE = "00-11111111111111111111111111111111-2222222222222222-00"


def publish(shared, *arguments, casts=("text", "text", "text", "jsonb", "jsonb")):
    places = ", ".join(f"%s::{cast}" for _, cast in zip(arguments, casts))
    event_id = shared.value(f"select outbox.publish({places})", arguments, role="writer")
    return shared.event(event_id)


def headers_of(shared, headers=None, session_trace=None):
    """The stored headers of an event published in a session that may have a trace."""
    with shared.as_role("writer", autocommit=False) as cursor:
        if session_trace is not None:
            cursor.execute("set local outbox.traceparent = %s", [session_trace])
        cursor.execute("select outbox.publish('order', '1', 'OrderPlaced', '{}', %s::jsonb)",
                       [None if headers is None else json.dumps(headers)])
        event_id, = cursor.fetchone()
        cursor.connection.commit()
        return shared.event(event_id)[5], cursor.connection.notices


def test_an_event_is_stored_as_given_with_a_new_uuid_and_the_next_seq(shared):
    before = shared.value("select last_value from outbox.event_seq")
    event_id = shared.value("select outbox.publish('order', '17', 'OrderPlaced',"
                            " '{\"total\": 5}'::jsonb, '{\"tenant\": \"a\"}')", role="writer")
    assert uuid.UUID(event_id).version == 4
    assert shared.event(event_id) == ("order", "17", "OrderPlaced", '{"total": 5}', None,
                                      {"tenant": "a"})
    seq, age_s = shared.execute(
        "select seq, extract(epoch from clock_timestamp() - created_at)::float"
        " from outbox.event where id = %s", [event_id])[0]
    assert seq > before or seq == 1
    assert 0 <= age_s < 60


def test_an_untyped_literal_is_jsonb(shared):
    event_id = shared.value("""select outbox.publish('order', '1', 'OrderPlaced', '{"a":1}')""",
                            role="writer")
    assert shared.event(event_id)[3:] == ('{"a": 1}', None, {})
    event_id = shared.value("""select outbox.publish('order', '1', 'OrderPlaced', '{"a":1}',
                               '{"h":"v"}')""", role="writer")
    assert shared.event(event_id)[3:] == ('{"a": 1}', None, {"h": "v"})


def test_a_text_or_varchar_parameter_is_jsonb(shared):
    for cast in ("text", "varchar"):
        stored = publish(shared, "order", "1", "OrderPlaced", '{"a":1}',
                         casts=("text", "text", "text", cast))
        assert stored[3:] == ('{"a": 1}', None, {})


def test_a_prepared_statement_with_parameters_of_unknown_type_takes_jsonb(shared):
    with shared.as_role("writer") as cursor:
        cursor.execute("prepare p as select outbox.publish($1, $2, $3, $4)")
        cursor.execute("execute p('order', '1', 'OrderPlaced', '{\"a\": 1}')")
        assert shared.event(cursor.fetchone()[0])[3] == '{"a": 1}'


def test_named_arguments_choose_the_overload(shared):
    event_id = shared.value("select outbox.publish(aggregate_type => 'order', aggregate_id => '1',"
                            " event_type => 'E', payload => '{\"a\":1}')", role="writer")
    assert shared.event(event_id)[3:5] == ('{"a": 1}', None)
    event_id = shared.value("select outbox.publish('order', '1', 'E', payload_bytes => '\\x00ff',"
                            " headers => '{\"h\":\"v\"}')", role="writer")
    stored = shared.event(event_id)
    assert (stored[3], bytes(stored[4]), stored[5]) == (None, b"\x00\xff", {"h": "v"})


@pytest.mark.parametrize("content", [
    b"\xff\xfe\x80 not utf-8", b"a\x00b", b"\xef\xbb\xbf{}", b"[" * 100_000 + b"]" * 100_000,
    bytes(range(256)) * 40, b"\x00"],
    ids=["invalid utf-8", "NUL", "BOM", "JSON of depth 100,000", "all bytes", "one NUL"])
def test_bytes_are_stored_unchanged(shared, content):
    stored = publish(shared, "blob", "1", "E", content, casts=("text", "text", "text", "bytea"))
    assert (stored[3], bytes(stored[4])) == (None, content)


def test_neither_payload_is_a_tombstone_and_empty_bytes_are_an_empty_value(shared):
    tombstones = [publish(shared, "t", "1", "E", None, casts=("text",) * 3 + (cast,))
                  for cast in ("jsonb", "bytea", "text")]
    untyped = shared.value("select outbox.publish('t', '1', 'E', null)", role="writer")
    for stored in tombstones + [shared.event(untyped)]:
        assert stored[3:5] == (None, None)
    empty = publish(shared, "t", "1", "E", b"", casts=("text", "text", "text", "bytea"))
    assert empty[3] is None and bytes(empty[4]) == b""
    json_null = publish(shared, "t", "1", "E", "null")
    assert json_null[3:5] == ("null", None)


@pytest.mark.parametrize("number", [
    "9007199254740993", "12345678901234567890", "1234567890123456789012345678901234567890",
    "0.1000", "-0.00000000000000000001", "123456789012345678901234567890.12345678901234567890"])
def test_numbers_keep_every_digit(shared, number):
    assert publish(shared, "n", "1", "E", f'{{"n":{number}}}')[3] == f'{{"n": {number}}}'


def test_large_exponents_are_written_out(shared):
    assert publish(shared, "n", "1", "E", "1e400")[3] == "1" + 400 * "0"


def test_four_byte_characters_survive_in_key_payload_and_header_value(shared):
    stored = publish(shared, "order", "키-😀", "E", '{"name":"😀é"}', '{"h":"😀"}')
    assert stored[1] == "키-😀" and stored[3] == '{"name": "😀é"}'
    assert stored[5] == {"h": "😀"}


def test_a_null_key_means_no_key(shared):
    assert publish(shared, "order", None, "E", "{}")[1] is None


@pytest.mark.parametrize("aggregate_type", ["a", "Order.v2_x-y", "9", "...", "x" * 200])
def test_every_legal_topic_part_is_taken(shared, aggregate_type):
    assert publish(shared, aggregate_type, "1", "E", "{}")[0] == aggregate_type
    assert len(f"outbox.event.{aggregate_type}.dead-letter") <= 249


def test_keys_of_1_to_1024_bytes_and_types_of_1_to_255_are_taken(shared):
    for key in ("k", "k" * 1024, "é" * 512):
        assert publish(shared, "order", key, "E", "{}")[1] == key
    for event_type in ("E", "e" * 255, "Order placed: été"):
        assert publish(shared, "order", "1", event_type, "{}")[2] == event_type


def test_payloads_of_exactly_32_mib_are_taken(shared):
    limit = 33554432
    with shared.as_role("writer") as cursor:
        cursor.execute("select outbox.publish('huge', '1', 'E', convert_to(repeat('x', %s),"
                       " 'UTF8'))", [limit])
        of_bytes, = cursor.fetchone()
        cursor.execute("select outbox.publish('huge', '1', 'E', to_jsonb(repeat('x', %s)))",
                       [limit - 2])
        of_text, = cursor.fetchone()
    assert shared.value("select octet_length(payload_bytes) from outbox.event where id = %s",
                        [of_bytes]) == limit
    assert shared.value("select octet_length(payload::text) from outbox.event where id = %s",
                        [of_text]) == limit


@pytest.mark.parametrize("headers", [
    {}, {"a": "b"}, {"a": None}, {"content-type": "application/json; charset=utf-8"},
    {"a": ""}, {"x" * 255: "v"}, {"a": "tab\tand \"quotes\" and \\n"}, {"identity": "type"},
    {f"h{n}": "v" for n in range(100)}, {"big": "v" * 65000}, {"a!#$%&'*+.^_`|~": "id"},
    {"a": '", "id":'}],
    ids=lambda headers: str(headers)[:40])
def test_headers_of_strings_and_nulls_are_taken(shared, headers):
    assert headers_of(shared, headers)[0] == headers


def test_null_headers_mean_none(shared):
    assert headers_of(shared, None)[0] == {}


def test_a_traceparent_is_taken_from_the_headers_or_else_from_the_session(shared):
    assert headers_of(shared, {"traceparent": TRACE}) == ({"traceparent": TRACE}, [])
    assert headers_of(shared, {}, TRACE) == ({"traceparent": TRACE}, [])
    assert headers_of(shared, {"a": "b"}, TRACE)[0] == {"a": "b", "traceparent": TRACE}
    assert headers_of(shared, {"traceparent": OTHER_TRACE}, TRACE)[0] == {
        "traceparent": OTHER_TRACE}
    assert headers_of(shared, {"traceparent": None}, TRACE) == ({}, [])
    assert headers_of(shared, {}, "") == ({}, [])


def test_a_trace_set_locally_ends_with_its_transaction(shared):
    with shared.as_role("writer", autocommit=False) as cursor:
        cursor.execute("set local outbox.traceparent = %s", [TRACE])
        cursor.connection.commit()
        cursor.execute("select outbox.publish('order', '1', 'E', '{}')")
        event_id, = cursor.fetchone()
        cursor.connection.commit()
    assert shared.event(event_id)[5] == {}


@pytest.mark.parametrize("trace", [
    "", "garbage", TRACE[:-1], TRACE + "x", TRACE.upper(), "ff" + TRACE[2:], TRACE + "-more",
    "00-" + 32 * "0" + "-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-" + 16 * "0"
    + "-01", "01" + TRACE[2:] + "-é"])
def test_a_malformed_traceparent_is_left_out_with_a_notice_and_the_event_kept(shared, trace):
    headers, notices = headers_of(shared, {"a": "b", "traceparent": trace})
    assert headers == {"a": "b"}
    assert len(notices) == 1 and "is malformed, the event goes out without it" in notices[0]
    if trace:
        headers, notices = headers_of(shared, {"a": "b"}, trace)
        assert headers == {"a": "b"} and len(notices) == 1


def test_a_traceparent_of_a_later_version_is_taken_with_what_follows(shared):
    later = "01" + TRACE[2:] + "-more"
    assert headers_of(shared, {"traceparent": later})[0] == {"traceparent": later}


def test_events_live_and_die_with_their_transaction(shared):
    """Invariant 2, no ghost."""
    key = uuid.uuid4().hex
    with shared.as_role("writer", autocommit=False) as cursor:
        cursor.execute("select outbox.publish('order', %s, 'E', '{}')", [key])
        cursor.execute("savepoint s")
        cursor.execute("select outbox.publish('order', %s, 'Undone', '{}')", [key])
        cursor.execute("rollback to s")
        cursor.connection.commit()
        cursor.execute("select outbox.publish('order', %s, 'Undone', '{}')", [key])
        cursor.connection.rollback()
    assert shared.execute("select event_type from outbox.event where aggregate_id = %s",
                          [key]) == [("E",)]


def test_seq_follows_the_order_of_publishing_in_a_transaction(shared):
    key = uuid.uuid4().hex
    shared.execute("select outbox.publish('order', %s, g::text, '{}')"
                   " from generate_series(1, 500) g", [key], role="writer")
    stored = shared.execute("select event_type::int from outbox.event where aggregate_id = %s"
                            " order by seq", [key])
    assert [number for number, in stored] == list(range(1, 501))


def test_a_value_copied_compressed_from_another_table_is_still_measured(schema):
    """A compressed value says nothing of its size: 120 bytes on disk here, 39 MB as text."""
    schema.execute("create table document (body jsonb)")
    schema.execute("insert into document select jsonb_agg(1e131071::numeric)"
                   " from generate_series(1, 300)")
    stored, printed = schema.execute("select pg_column_size(body), octet_length(body::text)"
                                     " from document")[0]
    assert stored < 2048 and printed > 33554432
    for copy in ("select outbox.publish('order', '1', 'E', body) from document",
                 "insert into outbox.event (aggregate_type, event_type, payload)"
                 " select 'order', 'E', body from document"):
        with pytest.raises(psycopg2.Error, match="the limit is 33554432"):
            schema.execute(copy)


def test_publish_costs_little_more_than_a_plain_insert(schema):
    """Guards against slips such as a parse for each call; outbox-schema/README.md has figures."""
    insert = ("insert into outbox.event (aggregate_type, aggregate_id, event_type, payload)"
              " values ('order', '1', 'E', '{\"a\": 1}'::jsonb)")
    call = "perform outbox.publish('order', '1', 'E', '{\"a\": 1}'::jsonb)"
    with schema.as_role("superuser") as cursor:
        seconds = {}
        for statement in (insert, call) * 3:
            block = f"do $b$ begin for i in 1..3000 loop {statement}; end loop; end $b$"
            start = time.monotonic()
            cursor.execute(block)
            seconds.setdefault(statement, []).append(time.monotonic() - start)
    assert min(seconds[call]) < 3 * min(seconds[insert])
