"""Business tables without an outbox: their changes become events (issue, Build 4)."""

import json
import uuid
from contextlib import closing

import pytest

from capture_place import ALL, CapturePlace, capture, told

ORDERS = "create table shop.orders (id int primary key, status text, total numeric, note text)"
LINES = ("create table shop.lines (tenant text, id int, item text, primary key (tenant, id))")
FULL = "create table shop.parcel (id int primary key, status text, weight int)"
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
    assert [record.header("type") for record in (made, changed, gone)] == ["made", "changed", "gone"]
    assert made.header("aggregate_type") == "order" and made.key == b"1"
    assert uuid.UUID(made.event_id).version == 8
    assert made.header("position").endswith("/1")
    assert made.value == (b'{"operation":"insert","table":"shop.orders","before":null,'
                          b'"after":{"id":1,"status":"NEW","total":12.50}}')
    assert told(changed)["after"] == {"id": 1, "status": "DONE", "total": 12.5}
    assert told(changed)["before"] is None
    assert told(gone)["before"] == {"id": 1} and told(gone)["after"] is None
    assert place.relay.running()
