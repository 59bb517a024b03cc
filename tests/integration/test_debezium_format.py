"""format = "debezium": the records of Debezium's Outbox Event Router, by each of its options. The
expected bytes are those that the router sends (test_debezium_peer.py compares with a real one)."""

import pytest

from debezium_outbox import DebeziumOutbox
from one_place import database
from support.topic import TopicReader, create_topic, delete_topic

DEBEZIUM = 'format = "debezium"\n'


def options(**keys):
    """A route's `debezium` table."""
    def value(one):
        return str(one).lower() if isinstance(one, bool) else f'"{one}"'
    inner = ", ".join(f"{key} = {value(one)}" for key, one in keys.items())
    return f"{DEBEZIUM}debezium = {{ {inner} }}\n"


def delivered(database, tmp_path, route, payload, value, more="", **columns):
    """The record that one row becomes."""
    with DebeziumOutbox(database, payload, more) as table, table.relay(tmp_path, route):
        event_id = table.insert(value, **columns)
        record = table.arrival(event_id)
    assert record.headers[0] == ("id", event_id.encode())
    return record


def test_the_router_s_defaults_give_the_id_the_key_and_the_payload_and_no_more(database, tmp_path):
    record = delivered(database, tmp_path, DEBEZIUM, "jsonb", '{"total": 12.50}')
    assert len(record.headers) == 1
    assert (record.key, record.value) == (b"4711", b'{"total": 12.50}')


@pytest.mark.parametrize("value, expected", [(b"\x00\xff", b"\x00\xff"), (b"", b""), (None, None)])
def test_bytes_arrive_as_they_are(database, tmp_path, value, expected):
    record = delivered(database, tmp_path, options(value_converter="bytes"), "bytea", value)
    assert record.value == expected


@pytest.mark.parametrize("keys, value, expected", [
    ({}, '{"a": 1}', rb'"{\"a\": 1}"'),
    ({"expand_json_payload": True}, '{"a": [1, 2], "n": null, "e": []}', b'{"a":[1,2]}'),
    ({"expand_json_payload": True, "json_payload_null_behavior": "optional_bytes"},
     '{"a": null}', b'{"a":null}'),
    ({"expand_json_payload": True}, '"text"', rb'"\"text\""'),
    ({"key_converter": "json"}, "null", b'"null"')],
    ids=["a string", "expanded", "nulls kept", "not expandable", "key"])
def test_the_json_converter(database, tmp_path, keys, value, expected):
    record = delivered(database, tmp_path, options(value_converter="json", **keys), "jsonb", value)
    assert record.value == expected
    assert record.key == (b'"4711"' if "key_converter" in keys else b"4711")


def test_additional_fields_are_headers_members_of_the_envelope_and_the_partition(
        database, tmp_path):
    placement = "type:header:eventType, version:header, version:envelope:v, gone:envelope,"\
                "shard:partition, missing:header"
    for shard in (0, 1, 2):
        record = delivered(
            database, tmp_path / str(shard),
            options(value_converter="json", additional_placement=placement,
                    additional_error_on_missing=False),
            "jsonb", '{"a": 1}', more="version int, gone text, shard int", version=3, shard=shard)
        assert record.headers[1:] == (("eventType", b"OrderPlaced"), ("version", b"3"))
        assert record.value == rb'{"payload":"{\"a\": 1}","v":3,"gone":null}'
        assert record.partition == shard


def test_a_partition_that_the_topic_does_not_have_is_a_dead_letter(database, tmp_path):
    with DebeziumOutbox(database, more="shard int") as table:
        relay = table.relay(tmp_path, options(additional_placement="shard:partition"))
        with relay:
            lost = table.insert("{}", shard=3)
            table.arrival(table.insert("{}", shard=2))
            assert table.dead_letter(lost).header("outbox.error.code") == "NO_SUCH_PARTITION"


def test_an_empty_payload_is_a_tombstone_if_asked_for(database, tmp_path):
    assert delivered(database, tmp_path / "as", DEBEZIUM, "text", " ").value == b" "
    route = options(tombstone_on_empty_payload=True)
    assert delivered(database, tmp_path / "tombstone", route, "text", " ").value is None


@pytest.mark.parametrize("type_, text", [
    ("timestamp", "2001-02-03 04:05:06.789"), ("timestamptz", "2001-02-03 05:05:06.789+01")])
def test_a_column_is_the_record_s_time(database, tmp_path, type_, text):
    record = delivered(database, tmp_path, options(timestamp_column="happened"), "jsonb", "{}",
                       more=f"happened {type_}", happened=text)
    assert record.timestamp_ms == 981_173_106_789


def test_a_topic_by_a_regular_expression(database, tmp_path):
    with DebeziumOutbox(database) as table:
        stem, own = table.aggregate_type.split("_")
        topic = create_topic(f"events.{own}.of.{stem}")
        rule = ('topic_regex = "(?<stem>[a-z]+)_(.*)"\n'
                'topic_replacement = "events.$2.of.${stem}"')
        with table.relay(tmp_path, DEBEZIUM, topic=rule), TopicReader(topic) as reader:
            event_id = table.insert('{"a": 1}')
            records = reader.read_until(lambda found: found, 30)
        delete_topic(topic)
    assert [record.event_id for record in records] == [event_id]


def test_a_column_that_is_missing_is_named_before_anything_is_read(database, tmp_path):
    with DebeziumOutbox(database) as table:
        relay = table.relay(tmp_path, options(additional_placement="versoin:header"))
        relay.start()
        assert relay.wait() == 1
        assert "COLUMN_MISSING" in relay.log_tail() and "versoin" in relay.log_tail()


def test_polling_brings_the_same_record(database, tmp_path):
    with DebeziumOutbox(database, more="seq bigserial, version int") as table:
        with table.relay(tmp_path, options(additional_placement="version:header"), mode="poll"):
            record = table.arrival(table.insert('{"a": 1}', version=9))
    assert record.headers[1:] == (("version", b"9"),)
    assert record.value == b'{"a": 1}'
