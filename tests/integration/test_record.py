"""What one event becomes in Kafka: key, value, headers, timestamp, partition (fault matrix 6b)."""

import re
import time
import uuid

import pytest

from config_text import route
from murmur2 import murmur2, partition_of
from stage import Stage
from support.topic import create_topic, delete_topic, unique_name

PARTITIONS = 6
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
LSN = r"[0-9A-F]{1,8}/[0-9A-F]{1,8}"


@pytest.fixture(scope="module")
def topic():
    name = create_topic(unique_name("record"), partitions=PARTITIONS, max_message_bytes=10_000_000)
    yield name
    delete_topic(name)


@pytest.fixture(scope="module")
def stage(tmp_path_factory, topic):
    """The outbox as it is shipped."""
    with Stage(tmp_path_factory.mktemp("record"), [route(topic)]) as stage:
        yield stage


@pytest.fixture(scope="module")
def own_table(tmp_path_factory, topic):
    """A table without outbox.event's CHECK."""
    with Stage(tmp_path_factory.mktemp("own"), [route(topic)], own_table=True) as stage:
        yield stage


def lsn_number(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


# --- value

@pytest.mark.parametrize("content", [
    b"\xff\xfe\x80 not utf-8", b"a\x00b\x00", b"\xef\xbb\xbf{\"a\":1}",
    b"[" * 100_000 + b"]" * 100_000, bytes(range(256)) * 40, b'{"a":1,  "a":2}',
    bytes(range(256)) * 20_000],
    ids=["invalid UTF-8", "NUL", "BOM", "JSON of depth 100,000", "all bytes", "duplicate JSON keys",
         "5 MB"])
def test_payload_bytes_arrive_verbatim(stage, topic, content):
    event_id = stage.shop.publish(payload=content)
    assert stage.arrival(topic, event_id).value == content


@pytest.mark.parametrize("number", [
    "9007199254740993", "-18446744073709551617", "1234567890123456789012345678901234567890",
    "0.1234567890123456789012345678901234567891", "1e400", "-1E-400", "-0", "-0.0", "1.10e2",
    "1.000"])
def test_a_number_in_payload_arrives_as_postgres_prints_it(stage, topic, number):
    printed = stage.database.value("select %s::jsonb::text", [f'{{"n": {number}}}'])
    event_id = stage.shop.publish(payload=f'{{"n": {number}}}')
    assert stage.arrival(topic, event_id).value == printed.encode()


def test_big_numbers_never_pass_through_a_double(stage, topic):
    event_id = stage.shop.publish(payload='{"n": 9007199254740993, "m": 1e400}')
    value = stage.arrival(topic, event_id).value
    assert b"9007199254740993" in value and b"1" + b"0" * 400 in value


@pytest.mark.parametrize("payload", [
    '"ünïcödé 😀 \\u0001 \\\\ \\" \\u2028"', "[]", "{}", "true", '""',
    '{"b": 1, "a": -0, "a": 1.10e2}', "[" * 1000 + "]" * 1000])
def test_a_jsonb_payload_arrives_in_its_text_form(stage, topic, payload):
    event_id = stage.shop.publish(payload=payload)
    printed = stage.database.value("select payload::text from outbox.event where id = %s",
                                   [event_id])
    assert stage.arrival(topic, event_id).value == printed.encode()


def test_no_payload_is_a_tombstone_and_differs_from_an_empty_one_and_from_json_null(stage, topic):
    ids = [stage.shop.publish(payload=content) for content in (None, b"", "null", '""')]
    values = [record.value for record in stage.topics[topic].await_ids(ids)]
    assert values == [None, b"", b"null", b'""']


# --- key

@pytest.mark.parametrize("key", ["größe-鍵-😀", "two words\t", "'quoted' \"twice\"",
                                 "k" * 1024],
                         ids=["unicode", "blanks", "quotes", "1024 bytes"])
def test_a_key_arrives_as_its_utf8_bytes(stage, topic, key):
    event_id = stage.shop.publish(key=key)
    assert stage.arrival(topic, event_id).key == key.encode()


def test_a_null_key_is_a_record_without_key(stage, topic):
    event_id = stage.shop.publish(key=None, payload='{"keyless": true}')
    record = stage.arrival(topic, event_id)
    assert record.key is None and record.value == b'{"keyless": true}'


def test_an_empty_key_of_a_table_without_the_check_is_an_empty_key_and_not_null(own_table, topic):
    event_id = own_table.shop.insert(aggregate_id="")
    assert own_table.arrival(topic, event_id).key == b""


def test_a_key_of_4_kb_of_a_table_without_the_check_arrives_whole(own_table, topic):
    event_id = own_table.shop.insert(aggregate_id="4" * 4096)
    assert own_table.arrival(topic, event_id).key == b"4" * 4096


# --- headers

def test_the_five_reserved_headers_come_first_in_their_order(stage, topic):
    before = stage.database.value("select pg_current_wal_insert_lsn()::text")
    event_id = stage.shop.publish(aggregate_type="order", event_type="OrderPlaced",
                                  headers={"tenant": "a"})
    after = stage.database.value("select pg_current_wal_insert_lsn()::text")
    record = stage.arrival(topic, event_id)
    assert [name for name, _ in record.headers] == ["id", "type", "aggregate_type", "position",
                                                   "epoch", "tenant"]
    assert uuid.UUID(record.header("id")) == uuid.UUID(event_id)
    assert (record.header("type"), record.header("aggregate_type")) == ("OrderPlaced", "order")
    assert re.fullmatch(LSN + r"/\d+", record.header("position"))
    commit_lsn = record.header("position").rsplit("/", 1)[0]
    assert lsn_number(before) <= lsn_number(commit_lsn) <= lsn_number(after)
    assert int(record.header("epoch")) == stage.database.value(
        "select epoch from outbox.progress where pipeline = %s", [stage.pipeline])


def test_own_headers_follow_as_postgres_orders_them_with_nulls_and_empty_values(stage, topic):
    headers = {"zz": "last?", "b": None, "a": "", "unicode": "größe 😀",
               "escaped": "tab\t quote\" back\\slash", "long": "x" * 40_000, "traceparent": TRACE}
    event_id = stage.shop.publish(headers=headers)
    in_order = stage.database.execute(
        "select key, value from outbox.event, jsonb_each_text(headers) with ordinality"
        " where id = %s order by ordinality", [event_id])
    own = stage.arrival(topic, event_id).headers[5:]
    assert list(own) == [(name, None if value is None else value.encode())
                         for name, value in in_order]
    assert dict(own) == {name: None if value is None else value.encode()
                         for name, value in headers.items()}


def test_the_traceparent_of_the_session_is_a_header(stage, topic):
    with stage.shop.transaction() as cursor:
        cursor.execute("set local outbox.traceparent = %s", [TRACE])
        event_id = stage.shop.publish(cursor=cursor)
    assert stage.arrival(topic, event_id).header("traceparent") == TRACE


def test_an_event_without_headers_of_its_own_has_the_five_and_no_more(stage, topic):
    event_id = stage.shop.publish()
    assert len(stage.arrival(topic, event_id).headers) == 5


def test_a_hundred_headers_arrive(stage, topic):
    headers = {f"h{number}": str(number) for number in range(100)}
    event_id = stage.shop.publish(headers=headers)
    own = stage.arrival(topic, event_id).headers[5:]
    assert {name: value.decode() for name, value in own} == headers


def test_positions_in_one_transaction_share_the_commit_and_count_up(stage, topic):
    """BEGIN and the first row share an LSN, as rows of one INSERT do: only (commit, ordinal) tells
    events apart (cdc trap)."""
    with stage.shop.transaction() as cursor:
        cursor.execute("insert into outbox.event (aggregate_type, aggregate_id, event_type)"
                       " select 'order', 'same', n::text from generate_series(1, 20) n"
                       " returning id::text")
        ids = [event_id for event_id, in cursor.fetchall()]
    later = stage.shop.publish()
    records = stage.topics[topic].await_ids([*ids, later])
    commits, ordinals = zip(*(record.header("position").rsplit("/", 1) for record in records))
    assert len(set(commits[:20])) == 1 and lsn_number(commits[0]) < lsn_number(commits[20])
    first = int(ordinals[20])
    assert [int(ordinal) for ordinal in ordinals[:20]] == list(range(first, first + 20))


# --- timestamp

@pytest.mark.parametrize("created_at", ["infinity", "-infinity", "4713-01-01 00:00 BC",
                                        "294276-12-31 23:59:59.999999", "2999-01-01"])
def test_the_timestamp_is_the_commit_whatever_created_at_says(stage, topic, created_at):
    """Neither when the row was written nor when it was sent."""
    clock = "select (extract(epoch from clock_timestamp()) * 1000)::float"
    with stage.shop.transaction() as cursor:
        event_id = stage.shop.insert(cursor, created_at=created_at)
        cursor.execute("select pg_sleep(0.1)")
        before = stage.database.value(clock)
        stage.relay.pause()
    after = stage.database.value(clock)
    time.sleep(0.1)
    stage.relay.resume()
    assert int(before) <= stage.arrival(topic, event_id).timestamp_ms <= after


# --- partition

@pytest.mark.parametrize("text, signed", [
    ("21", -973932308), ("foobar", -790332482), ("a-little-bit-long-string", -985981536),
    ("a-little-bit-longer-string", -1486304829),
    ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971), ("abc", 479470107)])
def test_the_judge_s_murmur2_agrees_with_the_vectors_that_kafka_publishes(text, signed):
    assert murmur2(text.encode()) == signed & 0xFFFFFFFF


def test_keys_land_where_a_java_producer_puts_them(stage, topic):
    keys = ([f"key-{number}" for number in range(300)]
            + ["k" * length for length in range(1, 17)] + ["größe", "鍵", "😀", "é" * 500])
    with stage.shop.transaction() as cursor:
        ids = [stage.shop.publish(key=key, cursor=cursor) for key in keys]
    records = stage.topics[topic].await_ids(ids)
    assert {record.partition for record in records} == set(range(PARTITIONS))
    for record, key in zip(records, keys):
        assert record.partition == partition_of(key.encode(), PARTITIONS), key


def test_an_empty_key_lands_where_a_java_producer_puts_it(own_table, topic):
    event_id = own_table.shop.insert(aggregate_id="")
    assert own_table.arrival(topic, event_id).partition == partition_of(b"", PARTITIONS)
