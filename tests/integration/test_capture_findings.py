"""What `check`, `doctor` and a start say of business tables, and what they refuse before the
business breaks (issue, Build 4)."""

import pytest

from capture_place import ALL, CapturePlace, capture, told
from logins import login
from outbox import findings_of, outbox

TABLES = ["create table shop.item (id int primary key, state text, size int,"
          " twice int generated always as (size * 2) stored)",
          "create table shop.bare (id int, state text)"]


@pytest.fixture
def place(tmp_path):
    with CapturePlace(tmp_path, TABLES, [capture("shop.item", **ALL)]) as place:
        yield place


def findings(relay):
    """Those where something is wrong."""
    return {code: found for code, found in findings_of(relay).items() if found[0] != "ok"}


def refused(place, relay):
    """What the log says of a start that is refused."""
    relay.start()
    assert relay.wait() == 1
    return relay.log_tail().replace('\\"', '"')


def publications(place):
    return place.database.value("select count(*) from pg_publication")


def test_a_table_without_replica_identity_is_refused_before_the_business_breaks(place):
    relay = place.relay_with([capture("shop.bare", **ALL)])
    level, what, fix = findings(relay)["TABLE_WITHOUT_IDENTITY"]
    assert level == "error" and "shop.bare" in what and "would refuse" in what
    assert "TABLE_WITHOUT_IDENTITY" in refused(place, relay)
    assert publications(place) == 0
    place.run("insert into shop.bare values (1)", "update shop.bare set state = 'x'",
              "delete from shop.bare")
    place.database.execute(fix.split(" -- ")[0])
    place.relay = relay
    place.start()
    place.run("insert into shop.bare values (1)", "update shop.bare set state = 'x'")
    place.of_key("1", 2)


def test_an_outbox_table_of_a_teams_own_without_primary_key_is_refused_too(place):
    place.database.execute("create table public.box (id uuid, aggregate_type text,"
                           " aggregate_id text, event_type text, payload jsonb)")
    for more in ([capture("shop.item", **ALL)], []):
        relay = place.relay_with(more, more='table = "public.box"\non_update = "warn"')
        assert "public.box" in findings(relay)["TABLE_WITHOUT_IDENTITY"][1]
        assert "TABLE_WITHOUT_IDENTITY" in refused(place, relay) and publications(place) == 0


@pytest.mark.parametrize("captures, code, says, mends", [
    (capture("shop.thing", insert='"a"'), "CAPTURE_TABLE_MISSING", "no table shop.thing",
     "schema.table"),
    (capture("shop.item", key='"ident"', insert='"a"'), "CAPTURE_COLUMN_MISSING",
     'no column "ident"', "Name another"),
    (capture("shop.item", key='"twice"', insert='"a"'), "CAPTURE_COLUMN_MISSING",
     "generated ones are not", "Name another"),
    (capture("shop.item", insert='"a"', when='{ stat = "x" }'), "CAPTURE_COLUMN_MISSING",
     'no column "stat"', "Name another"),
    (capture("shop.item", key='"size"', erase='"a"'), "CAPTURE_IDENTITY",
     'key column "size" is not part of it', "replica identity full"),
    (capture("shop.item", update='"a"', before="true"), "CAPTURE_IDENTITY", "`before`",
     'alter table "shop"."item" replica identity full;'),
    (capture("shop.item", update='"a"', when="{ state = { changed = true } }"),
     "CAPTURE_IDENTITY", 'column "state" as it was', "replica identity full"),
    (capture("shop.item", update='"a"', when='{ state = { changed_to = "x" } }'),
     "CAPTURE_IDENTITY", 'column "state" as it was', "replica identity full"),
    (capture("shop.item", erase='"a"', when='{ state = "x" }'), "CAPTURE_IDENTITY",
     'column "state" as it was', "replica identity full"),
], ids=["table", "key", "generated key", "column of when", "key outside the identity", "before",
        "changed", "changed_to", "delete when"])
def test_what_the_rules_need_and_the_table_lacks_is_named_and_nothing_starts(
        place, captures, code, says, mends):
    relay = place.relay_with([captures])
    level, what, fix = findings(relay)[code]
    assert level == "error" and says in what and mends in fix
    said = refused(place, relay)
    assert code in said and says in said and publications(place) == 0


@pytest.mark.parametrize("captures", [
    capture("shop.item", insert='"a"', update='"b"', when='{ id = { changed = true } }'),
    capture("shop.item", insert='"a"', when='{ state = { changed_to = "x" } }'),
    capture("shop.item", key='"size"', insert='"a"'),
    capture("shop.item", update='"a"', when='{ state = "x" }'),
], ids=["changed, of the identity", "changed, insert only", "another key, insert only", "is"])
def test_what_needs_no_old_row_needs_no_full_identity(place, captures):
    assert not findings(place.relay_with([captures]))


def test_a_chosen_column_that_is_not_there_is_warned_about(place):
    found = findings(place.relay_with([capture("shop.item", columns='["id", "colour", "twice"]',
                                               insert='"a"')]))
    assert found["CAPTURE_COLUMN_GONE"][0] == "warn"


def test_a_partition_with_another_identity_than_its_table_is_refused(place):
    place.run("create table shop.many (id int primary key, state text) partition by range (id)",
              "create table shop.many_1 partition of shop.many for values from (0) to (1000)",
              "alter table shop.many replica identity full")
    relay = place.relay_with([capture("shop.many", before="true", **ALL)])
    level, what, fix = findings(relay)["CAPTURE_PARTITION_IDENTITY"]
    assert level == "error" and "shop.many_1" in what
    place.database.execute(fix.split(" -- ")[0])
    place.relay = relay
    place.start()
    place.run("insert into shop.many values (1, 'a')", "update shop.many set state = 'b'",
              "delete from shop.many")
    made, changed, gone = place.of_key("1", 3)
    assert told(made)["table"] == "shop.many"
    assert told(changed)["before"] == told(made)["after"]
    assert told(gone)["before"] == {"id": 1, "state": "b"}


def test_a_login_that_owns_nothing_gets_the_sql_and_then_needs_no_right_to_read_the_tables(
        place):
    with login(place.database, ["outbox_relay"], "replication") as url:
        relay = place.relay_with([capture("shop.item", **ALL)], url=url)
        level, what, fix = findings(relay)["PUBLICATION_DENIED"]
        assert level == "error" and "shop.item" in what
        assert fix.startswith(f'create publication "{place.slot}" for table "outbox"."event",'
                              ' "shop"."item" with (publish = \'insert, update, delete, truncate\'')
        assert fix.split(" -- ")[0] in refused(place, relay)
        place.database.execute(fix.split(" -- ")[0])
        place.relay = relay
        place.start()
        place.run("insert into shop.item (id) values (1)")
        place.of_key("1", 1)
        assert relay.stop() == 0
        place.database.execute("select pg_drop_replication_slot(slot_name)"
                               " from pg_replication_slots where slot_name = %s", [place.slot])


def test_captures_of_an_older_pipeline_begin_when_the_publication_was_changed(place):
    """The walsender sees the publication as it was when a row was written."""
    plain = place.relay_with([])
    plain.start()
    plain.wait_ready()
    assert plain.stop() == 0
    relay = place.relay = place.relay_with([capture("shop.item", **ALL)])
    found = findings(relay)
    add = found["CAPTURE_NOT_PUBLISHED"][2].split(" -- ")[0]
    operations = found["CAPTURE_OPERATIONS"][2]
    assert "updates and deletes" in found["CAPTURE_OPERATIONS"][1]
    assert "CAPTURE_" in refused(place, relay)
    place.run("insert into shop.item (id) values (1)")
    place.run("select outbox.publish('order', 'row', 'published', '{}')")
    place.database.execute(add)
    place.run("insert into shop.item (id) values (2)")
    place.run("update shop.item set state = 'x' where id = 2")
    place.database.execute(operations)
    place.run("update shop.item set state = 'y' where id = 2")
    place.start()
    made, changed = place.of_key("2", 2)
    assert told(changed)["after"]["state"] == "y"
    place.of_key("row", 1)
    assert not [record for record in place.arriving.records if record.key == b"1"]
    assert not findings(relay)


def test_check_names_every_mistake_with_its_line(tmp_path):
    config = tmp_path / "relay.toml"
    config.write_text("""[source.shop]
type = "postgres"
url = "postgresql://x@127.0.0.1:1/shop"
mode = "poll"
[[source.shop.capture]]
table = "shop.orders"
key = "id"
insert = "Placed"
[sink.kafka]
type = "kafka"
bootstrap_servers = "127.0.0.1:1"
[[pipeline]]
name = "orders"
source = "shop"
sink = "kafka"
""")
    done = outbox("check", "--config", config)
    assert done.code == 2
    assert "relay.toml:5:" in done.err + done.out and 'needs mode = "wal"' in done.err + done.out


def test_formats_with_further_columns_read_them_as_text_too(place):
    """Debezium's additional fields of the outbox's rows, beside captures."""
    place.database.execute("alter table outbox.event add column more timestamptz,"
                           " add column number int, add column flag boolean")
    text = place.relay.config_file.read_text().replace(
        f'topic = "{place.topic}"', f'topic = "{place.topic}"\nformat = "debezium"\n'
        'debezium = { additional_placement = "more:header,number:header,flag:header" }')
    assert "additional_placement" in text
    place.relay.config_file.write_text(text)
    place.start()
    event_id = place.database.value(
        "insert into outbox.event (id, aggregate_type, aggregate_id, event_type, payload, more,"
        " number, flag) values (gen_random_uuid(), 'order', '1', 'a', '{}',"
        " '2026-01-02 03:04:05.678901+02', -7, true) returning id::text")
    record, = place.arriving.await_ids([event_id])
    assert record.header("more") == "2026-01-02T01:04:05.678901Z"
    assert record.header("number") == "-7" and record.header("flag") == "true"
