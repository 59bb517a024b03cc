"""Business tables without an outbox: their changes become events (issue, Build 4)."""

import io
import uuid
from contextlib import closing

import pytest

from capture_place import ALL, CapturePlace, capture, told
from shop import Shop

ORDERS = "create table shop.orders (id int primary key, status text, total numeric, note text)"
LINES = ("create table shop.lines (tenant text, id int, item text, primary key (tenant, id))")
FULL = "create table shop.parcel (id text primary key, status text, weight int)"
DOCS = "create table shop.doc (id int primary key, title text, body text)"
FULL_DOCS = "create table shop.full_doc (id int primary key, title text, body text)"
TABLES = [ORDERS, LINES, FULL, "alter table shop.parcel replica identity full", DOCS,
          "alter table shop.doc alter body set storage external", FULL_DOCS,
          "alter table shop.full_doc alter body set storage external",
          "alter table shop.full_doc replica identity full"]
CAPTURES = [
    capture("shop.orders", aggregate_type='"order"', columns='["id", "status", "total"]', **ALL),
    capture("shop.lines", key='["tenant", "id"]', **ALL),
    capture("shop.parcel", update='"ParcelDone"', when='{ status = { changed_to = "DONE" } }'),
    capture("shop.parcel", update='"ParcelLost"', erase='"LostParcelGone"',
            when='{ status = "LOST", weight = { changed = true } }'),
    capture("shop.parcel", before="true", update='"ParcelChanged"', erase='"ParcelGone"'),
    capture("shop.doc", **ALL),
    capture("shop.full_doc", **ALL),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with CapturePlace(tmp_path_factory.mktemp("capture"), TABLES, CAPTURES) as place:
        yield place.start()


def test_insert_update_and_delete_become_events_with_key_type_headers_and_chosen_columns(place):
    place.run("insert into shop.orders values (1, 'NEW', 12.50, 'not told')")
    place.run("update shop.orders set status = 'DONE' where id = 1")
    place.run("delete from shop.orders where id = 1")
    made, changed, gone = place.of_key("1", 3)
    assert [one.header("type") for one in (made, changed, gone)] == ["made", "changed", "gone"]
    assert made.header("aggregate_type") == "order" and made.key == b"1"
    assert uuid.UUID(made.event_id).version == 8
    assert made.header("position").endswith("/1")
    assert made.value == (b'{"operation":"insert","table":"shop.orders","before":null,'
                          b'"after":{"id":1,"status":"NEW","total":12.50}}')
    assert told(changed)["after"] == {"id": 1, "status": "DONE", "total": 12.5}
    assert told(changed)["before"] is None
    assert told(gone)["before"] == {"id": 1} and told(gone)["after"] is None
    assert place.relay.running()


def test_a_key_of_several_columns_is_a_json_array_of_their_texts(place):
    place.run("insert into shop.lines values ('a\"b', 7, 'book')")
    record, = place.of_key('["a\\"b","7"]', 1)
    assert record.header("aggregate_type") == "lines", "the table's name, if none is given"
    assert told(record)["after"] == {"tenant": 'a"b', "id": 7, "item": "book"}


def test_an_update_of_the_key_is_a_delete_of_the_old_and_an_insert_of_the_new_one(place):
    place.run("insert into shop.orders values (20, 'NEW', 1)")
    place.run("update shop.orders set id = 21, status = 'MOVED' where id = 20")
    made, gone = place.of_key("20", 2)
    again, = place.of_key("21", 1)
    assert told(gone)["operation"] == "delete" and told(gone)["before"] == {"id": 20}
    assert told(again)["operation"] == "insert"
    assert told(again)["after"] == {"id": 21, "status": "MOVED", "total": 1}
    assert gone.header("type") == "gone" and again.header("type") == "made"
    (commit, first), (same, second) = (record.header("position").rsplit("/", 1)
                                       for record in (gone, again))
    assert commit == same and int(second) == int(first) + 1
    assert len({made.event_id, gone.event_id, again.event_id}) == 3


def test_the_first_rule_whose_operation_and_when_fit_makes_the_event(place):
    place.run("insert into shop.parcel values ('parcel-1', 'NEW', 5)")  # no rule has an insert
    for change in ("status = 'DONE'", "status = 'DONE', weight = 6", "status = 'LOST', weight = 7",
                   "weight = 7", "status = null"):
        place.run(f"update shop.parcel set {change} where id = 'parcel-1'")
    place.run("delete from shop.parcel where id = 'parcel-1'")
    records = place.of_key("parcel-1", 6)
    assert [record.header("type") for record in records] == [
        "ParcelDone", "ParcelChanged", "ParcelLost", "ParcelChanged", "ParcelChanged",
        "ParcelGone"]
    told_of = [told(record) for record in records]
    assert told_of[0]["before"] is None, "this rule does not ask for it"
    assert told_of[1]["before"] == {"id": "parcel-1", "status": "DONE", "weight": 5}
    assert told_of[4]["after"] == {"id": "parcel-1", "status": None, "weight": 7}
    assert told_of[5]["before"] == {"id": "parcel-1", "status": None, "weight": 7}


LARGE = "md5(random()::text) || repeat(md5('x'), 3000)"


def test_a_large_value_that_an_update_leaves_alone_is_named_unchanged_and_never_null(place):
    place.run(f"insert into shop.doc values (30, 'a', {LARGE})")
    place.run("update shop.doc set title = 'b' where id = 30")
    place.run("update shop.doc set body = null where id = 30")
    made, changed, cleared = place.of_key("30", 3)
    assert len(told(made)["after"]["body"]) > 90_000
    assert told(changed)["after"] == {"id": 30, "title": "b"}
    assert told(changed)["unchanged"] == ["body"]
    assert told(cleared)["after"] == {"id": 30, "title": "b", "body": None}
    assert "unchanged" not in told(made) and "unchanged" not in told(cleared)


def test_with_replica_identity_full_a_large_value_is_always_told(place):
    place.run(f"insert into shop.full_doc values (31, 'a', {LARGE})")
    place.run("update shop.full_doc set title = 'b' where id = 31")
    made, changed = place.of_key("31", 2)
    assert told(changed)["after"]["body"] == told(made)["after"]["body"]
    assert "unchanged" not in told(changed)


def test_events_of_tables_of_the_outbox_and_emitted_ones_keep_the_order_of_their_transaction(place):
    with closing(place.database.connect(autocommit=False)) as connection, \
            connection, connection.cursor() as cursor:
        for number in range(3):
            cursor.execute("insert into shop.doc values (%s, 'x')", [f"4{number}"])
            cursor.execute("select outbox.publish('order', %s, 'published', '{}')", [f"4{number}"])
            cursor.execute("select outbox.emit('order', %s, 'emitted', '{}')", [f"4{number}"])
    positions = []
    for number in range(3):
        records = place.of_key(f"4{number}", 3)
        assert [record.header("type") for record in records] == ["made", "published", "emitted"]
        positions += [int(record.header("position").rsplit("/", 1)[1]) for record in records]
    assert positions == [1, 3, 4, 5, 7, 8, 9, 11, 12], "two ordinals a change, one an event"


def test_rows_of_one_copy_share_an_lsn_and_have_ids_of_their_own(place):
    with closing(place.database.connect()) as connection, connection.cursor() as cursor:
        cursor.copy_expert("copy shop.doc (id, title) from stdin",
                           io.StringIO("".join(f"{n}\tcopied\n" for n in range(500, 600))))
    records = [place.of_key(str(number), 1)[0] for number in range(500, 600)]
    assert len({record.event_id for record in records}) == 100


@pytest.mark.parametrize("payload", [b"\x00\xff not text", b"", None, '{"a": [1.10, null]}',
                                     "x" * 99_999],
                         ids=["bytes", "no bytes", "tombstone", "json", "large"])
def test_rows_of_the_outbox_come_byte_for_byte_though_the_stream_has_text(place, payload):
    """Their values come as text once there are captures: bytea as hex, jsonb without its mark."""
    text = f'"{payload}"' if payload and payload[0] == "x" else payload
    with closing(Shop(place.database)) as shop:
        event_id = shop.publish(key="outbox", payload=text, headers={"tenant": "t \\ \" é"})
    record, = place.arriving.await_ids([event_id])
    assert record.value == (text.encode() if isinstance(text, str) else text)
    assert record.header("tenant") == "t \\ \" é" and record.key == b"outbox"
    assert record.header("type") == "changed"


def test_a_row_of_almost_a_megabyte_comes_whole(place):
    place.run("insert into shop.doc select 60, 'large', string_agg(md5(g::text), '\"')"
              " from generate_series(1, 25000) g")
    record, = place.of_key("60", 1)
    body = told(record)["after"]["body"]
    assert body == place.database.value("select body from shop.doc where id = 60")
