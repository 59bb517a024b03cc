"""The same rows through a real Debezium 3.3 with its Outbox Event Router and through the relay:
the records are compared byte by byte. relay/docs/from-debezium.md lists where they differ on
purpose."""

import uuid
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

import pytest
from service.port import free_port
from support.database import Database
from support.relay import Relay
from support.topic import TopicReader, create_topic, delete_topic, unique_name
from support.waiting import wait_until

import config_text
import debezium_peer

PARTITIONS = 3
JSON = {"value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false"}
JSON_KEY = {"key.converter": "org.apache.kafka.connect.json.JsonConverter",
            "key.converter.schemas.enable": "false"}
BYTES = {"value.converter": "io.debezium.converters.BinaryDataConverter"}
JSON_ROWS = ['{"total": 12.5, "items": [1, 2], "who": {"name": "größe 😀", "tags": ["a", "b"]}}',
             '{"b": true, "a": null, "none": [], "o": {}, "s": "tab\\t \\"q\\" \\\\ / \\u0001"}',
             '{"big": 9007199254740993, "zero": 0, "list": [{"a": 1}, {"a": 2}], "x": [1, null]}',
             '{"mixed": [1, "x"]}', '"text"', "12", "null"]


@dataclass
class Case:
    """One table: what Debezium is told, what the relay is told, and the rows."""
    name: str
    router: dict = field(default_factory=dict)
    converters: dict = field(default_factory=dict)
    debezium: str = ""
    payload: str = "jsonb"
    key: str = "varchar(255)"
    more: str = ""
    rows: list = field(default_factory=list)  # of (key, payload, more columns)
    topic: str = ""  # topic_regex …; default: the value of aggregatetype at the end
    compare_time: bool = False


def rows(payloads, **more):
    return [(f"key-{n}", payload, more) for n, payload in enumerate(payloads)]


ADDITIONAL = ("type:header:eventType,version:header,urgent:header,gone:header,made:header,"
              "day:header,clock:header,big:header,other:header,info:header,id:header:eventId")
MORE = ("version int, urgent boolean, gone text, made timestamptz, day date, clock timestamp,"
        " big bigint, other uuid, info jsonb")
MORE_ROW = {"version": 7, "urgent": True, "gone": None, "made": "2001-02-03 04:05:06.789+00",
            "day": "2001-02-03", "clock": "2001-02-03 04:05:06.789", "big": -2 ** 63,
            "other": "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "info": '{"b": 1, "a": "ü"}'}
CASES = [
    Case("defaults", rows=[*rows(JSON_ROWS), (None, "{}", {})]),
    Case("texts", payload="text", rows=rows(["as it is", "", " ", "ü\n", None])),
    Case("bytes", converters=BYTES, payload="bytea", debezium='value_converter = "bytes"',
         rows=rows([b"\x00\xff{", b"", None])),
    Case("json", converters={**JSON, **JSON_KEY}, rows=[*rows(JSON_ROWS), (None, "{}", {})],
         debezium='value_converter = "json", key_converter = "json"'),
    Case("expanded", {"table.expand.json.payload": "true"}, JSON,
         'value_converter = "json", expand_json_payload = true', rows=rows(JSON_ROWS[:3])),
    Case("nulls", {"table.expand.json.payload": "true",
                   "table.json.payload.null.behavior": "optional_bytes"}, JSON,
         'value_converter = "json", expand_json_payload = true,'
         ' json_payload_null_behavior = "optional_bytes"', rows=rows(JSON_ROWS[:3])),
    Case("placed", {"table.fields.additional.placement":
                    ADDITIONAL + ",version:envelope:v,urgent:envelope,gone:envelope,"
                    "type:envelope,shard:partition"}, JSON,
         f'value_converter = "json", additional_placement = "{ADDITIONAL},version:envelope:v,'
         'urgent:envelope,gone:envelope,type:envelope,shard:partition"', more=f"{MORE}, shard int",
         rows=[*[(f"key-{n}", '{"a": 1}', {**MORE_ROW, "shard": n % 3}) for n in range(6)],
               ("key-6", None, {"made": "1969-12-31 23:59:59+00", "day": "1901-01-01"})]),
    Case("tombstones", {"route.tombstone.on.empty.payload": "true",
                        "table.field.event.timestamp": "happened"}, {},
         'tombstone_on_empty_payload = true, timestamp_column = "happened"', payload="text",
         more="happened timestamp", compare_time=True,
         rows=rows(["", " \t", "x", None], happened="2001-02-03 04:05:06.789")),
    Case("rewritten", {"route.topic.regex": "(?<kind>[a-z]+)_(.*)",
                       "route.topic.replacement": "{side}.$2.${kind}"},
         key="bigint", topic='topic_regex = "(?<kind>[a-z]+)_(.*)"\n'
         'topic_replacement = "{side}.$2.${kind}"', rows=[(4711, "{}", {}), (-1, "{}", {})]),
]


@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    """What both made of every case: {case: {side: {id: record}}}."""
    folder = tmp_path_factory.mktemp("peer")
    with ExitStack() as things:
        database = things.enter_context(Database())
        stem = unique_name("kind").replace(".", "_")
        topics = {}
        for case in CASES:
            make_table(database, case)
            for side in ("ours", "peer"):
                topics[case.name, side] = create_topic(topic_of(case, side, stem), PARTITIONS)
                things.callback(delete_topic, topics[case.name, side])
        connectors = [connector_of(database, case) for case in CASES]
        for one in connectors:
            database.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')",
                             [one["slot.name"]])
        things.enter_context(debezium_peer.running(folder / "connect", connectors))
        things.enter_context(relay_of(database, folder / "relay"))
        ids = {case.name: insert(database, case, stem) for case in CASES}
        yield {case.name: {side: read(topics[case.name, side], ids[case.name])
                           for side in ("ours", "peer")} for case in CASES}


def make_table(database, case):
    more = f", {case.more}" if case.more else ""
    database.execute(
        f"create table {case.name} (id uuid primary key, aggregatetype varchar(255) not null,"
        f" aggregateid {case.key}, type varchar(255) not null, payload {case.payload}{more})")
    database.execute(f"create publication peer_{case.name} for table {case.name}"
                     " with (publish = 'insert')")


def topic_of(case, side, stem):
    if not case.topic:
        return f"{side}.{case.name}.{stem}"
    kind, own = stem.split("_")
    return f"{side}.{own}.{kind}"


def connector_of(database, case):
    options = {name: value.replace("{side}", "peer") for name, value in case.router.items()}
    return debezium_peer.connector(database, case.name, f"peer.{case.name}.${{routedByValue}}",
                                   options, case.converters)


def relay_of(database, folder, cases=tuple(CASES), slot=None, publication=None, side="ours"):
    port = free_port()
    text = config_text.admin(port) + config_text.sink()
    for case in cases:
        name = f"{database.name}_{case.name}_ours"
        more = (f'table = "public.{case.name}"\ncolumns = {{ aggregate_type = "aggregatetype",'
                f' aggregate_id = "aggregateid", event_type = "type" }}')
        topic = case.topic.replace("{side}", side) or (
            f'topic = "{side}.{case.name}.${{aggregate_type}}"')
        route = (f'\n[[pipeline.route]]\n{topic}\nformat = "debezium"\n'
                 f"debezium = {{ {case.debezium} }}\n")
        text += config_text.source(case.name, slot or name, publication=publication, more=more)
        text += config_text.pipeline(name, case.name, [route])
    return Relay(folder, database.url, config=text, admin_port=port)


def insert(database, case, stem):
    ids = []
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        for key, payload, more in case.rows:
            ids.append(str(uuid.uuid4()))
            row = {"id": ids[-1], "aggregatetype": stem, "aggregateid": key, "type": "Placed",
                   "payload": payload, **more}
            cursor.execute(f"insert into {case.name} ({', '.join(row)}) values"
                           f" ({', '.join(['%s'] * len(row))})", list(row.values()))
    return ids


def read(topic, ids):
    with TopicReader(topic) as reader:
        records = reader.read_until(lambda found: len(found) >= len(ids), 60)
    by_id = {record.event_id: record for record in records}
    assert len(records) == len(ids), f"{len(records)} of {len(ids)} records came to {topic}"
    return [by_id[one] for one in ids]


def without_context(headers):
    """Debezium 3.3 puts its connector's name and task before the router's headers."""
    assert headers[0][0].startswith("__debezium.context.")
    return tuple(one for one in headers if not one[0].startswith("__debezium.context."))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_row_becomes_the_record_that_debezium_makes_of_it(delivered, case):
    pairs = list(zip(delivered[case.name]["ours"], delivered[case.name]["peer"]))
    assert len(pairs) == len(case.rows)
    for (ours, peer), (key, payload, _) in zip(pairs, case.rows):
        about = f"payload {payload!r}"
        assert ours.key == peer.key, about
        assert ours.value == peer.value, about
        assert ours.headers == without_context(peer.headers), about
        if key is not None:
            assert ours.partition == peer.partition, about
        if case.compare_time:
            assert ours.timestamp_ms == peer.timestamp_ms, about


def test_the_relay_takes_over_the_slot_of_a_debezium_that_was_killed(tmp_path):
    """Invariant 1: what Debezium had not confirmed comes again, with the same bytes, and no event
    is missing. The slot, the publication and the topics are Debezium's."""
    case = Case("handed", rows=[(f"key-{n % 7}", f'{{"n": {n}}}', {}) for n in range(300)])
    stem = unique_name("kind").replace(".", "_")
    with Database() as database:
        make_table(database, case)
        topic = create_topic(topic_of(case, "peer", stem), PARTITIONS)
        one = connector_of(database, case)
        database.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')",
                         [one["slot.name"]])
        with debezium_peer.running(tmp_path / "connect", [one]):
            ids = insert(database, case, stem)
            read(topic, ids)
            ids += insert(database, case, stem)
        wait_until(lambda: not database.value(
            "select active from pg_replication_slots where slot_name = %s", [one["slot.name"]]),
            "the slot is free")
        ids += insert(database, case, stem)
        with relay_of(database, tmp_path / "relay", [case], slot=one["slot.name"],
                      publication=one["publication.name"], side="peer"):
            last = insert(database, case, stem)
            with TopicReader(topic) as reader:
                seen = set()
                records = reader.read_until(
                    lambda found: seen.update(r.event_id for r in found) or set(last) <= seen, 60)
        delete_topic(topic)
    assert {record.event_id for record in records} == set(ids + last)
    by_id = {}
    for record in records:
        first = by_id.setdefault(record.event_id, record)
        assert (first.key, first.value) == (record.key, record.value)
    order = {event_id: n for n, event_id in enumerate(ids + last)}
    for key in {record.key for record in records}:
        firsts = [order[one] for one, record in by_id.items() if record.key == key]
        assert firsts == sorted(firsts), f"the first arrivals of {key} are in order"
