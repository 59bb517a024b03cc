"""What happens to captured tables while they live: restarts, crashes, ALTER TABLE, a lost slot
(issue, Build 4; invariants 1, 3 and 4)."""

import pytest

from capture_place import ALL, CapturePlace, capture, told
from one_place import relay_of
from postbox import Postbox
from server_side import drop_slots
from support.topic import create_topic, delete_topic, unique_name
from support.waiting import wait_until

ITEM = "create table shop.item (id int primary key, state text, size int)"
ROWS = 20_000


@pytest.fixture
def place(tmp_path):
    with CapturePlace(tmp_path, [ITEM], [capture("shop.item", **ALL)]) as place:
        yield place


def ordinal(record):
    return int(record.header("position").rsplit("/", 1)[1])


def by_id(records):
    found = {}
    for record in records:
        found.setdefault(record.event_id, []).append(record)
    return found


def assert_repeats_are_the_same(records):
    """Invariant 4: an id means one position, key and value."""
    for event_id, same in by_id(records).items():
        facts = {(one.header("position"), one.key, one.value) for one in same}
        assert len(facts) == 1, f"{event_id} came with {facts}"


def test_after_kill_9_nothing_is_lost_ids_stay_and_a_keys_events_are_in_order(place):
    """The relay is killed in the middle of a large transaction, again and again."""
    place.start()
    place.run(f"insert into shop.item select g, 'new', g from generate_series(1, {ROWS}) g",
              f"update shop.item set size = size + 1 where id <= {ROWS // 2}",
              f"update shop.item set id = id + 100000 where id <= 100")
    inside = []
    for wanted in (100, ROWS // 4, ROWS // 2):
        wait_until(lambda: place.arriving.look() or len(place.arriving.records) > wanted,
                   "some arrived", 30)
        place.relay.kill()
        inside += place.database.execute("select ordinal from outbox.progress where ordinal > 0")
        place.start()
    place.run("insert into shop.item values (0, 'last', 0)")
    place.of_key("0", 1)
    assert inside, "it was killed inside the transaction"
    records = place.arriving.records
    assert_repeats_are_the_same(records)
    different = {one.event_id: one for one in reversed(records)}.values()
    assert len(different) == ROWS + ROWS // 2 + 200 + 1, "each change once, a moved key twice"
    assert {ordinal(one) for one in different if told(one)["operation"] == "insert"
            and 1 <= told(one)["after"]["id"] <= ROWS} == {2 * n - 1 for n in range(1, ROWS + 1)}
    for key in (b"1", b"50", b"101"):
        mine = sorted((one for one in different if one.key == key), key=ordinal)
        assert [told(one)["operation"] for one in mine] == (
            ["insert", "update"] + (["delete"] if int(key) <= 100 else []))
        first_offsets = [min(same.offset for same in by_id(records)[one.event_id]) for one in mine]
        assert first_offsets == sorted(first_offsets), "order of a key"


def test_another_reader_of_the_same_wal_gives_the_same_ids_and_positions(tmp_path, place):
    """A pipeline that began earlier, in the middle of nothing, has counted other events before."""
    place.database.execute("create publication both_read for table outbox.event, shop.item with"
                           " (publish = 'insert, update, delete, truncate',"
                           " publish_via_partition_root = true)")
    place.relay = place.relay_with([capture("shop.item", **ALL)], publication="both_read")
    other_slot = place.slot + "_b"
    place.database.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')",
                           [other_slot])
    place.run("insert into shop.item select g, 'before' from generate_series(900, 950) g")
    place.start()
    place.run("insert into shop.item select g, 'new' from generate_series(1, 50) g",
              "update shop.item set id = 200 where id = 7", "delete from shop.item where id = 8")
    place.run("update shop.item set state = 'x' where id = 9")
    place.of_key("9", 2)
    other_topic = create_topic(unique_name("other"), partitions=3)
    try:
        with relay_of(tmp_path / "other", place.database, other_topic, slot=other_slot,
                      publication="both_read",
                      source_more=capture("shop.item", **ALL)):
            postbox = Postbox(other_topic)
            wait_until(lambda: postbox.look() or len(postbox.records) >= 51 + 50 + 4, "all came")
            postbox.close()
    finally:
        delete_topic(other_topic)
    ours, others = ({(one.event_id, one.header("position"), one.value) for one in records}
                    for records in (place.arriving.records, postbox.records))
    assert ours == {fact for fact in others if b'"state":"before"' not in fact[2]}
    drop_slots(place.database, other_slot)


def test_another_when_between_a_crash_and_a_restart_moves_no_event(place):
    small = capture("shop.item", insert='"made"', when='{ state = "a" }')
    place.relay = place.relay_with([small])
    place.start()
    place.run("insert into shop.item select g, case g % 2 when 0 then 'a' else 'b' end"
              f" from generate_series(1, {ROWS}) g",
              "select outbox.publish('order', 'x', 'p', '{}')")
    wait_until(lambda: place.arriving.look() or len(place.arriving.records) > ROWS // 8, "some", 30)
    place.relay.kill()
    place.relay = place.relay_with([capture("shop.item", insert='"made"')])
    place.start()
    place.of_key("x", 1)
    assert_repeats_are_the_same(place.arriving.records)
    made = {told(one)["after"]["id"]: ordinal(one) for one in place.arriving.records
            if one.header("type") == "made"}
    assert all(made[number] == 2 * number - 1 for number in made)
    assert set(range(2, ROWS + 1, 2)) <= set(made)
    published, = place.of_key("x", 1)
    assert ordinal(published) == 2 * ROWS + 1


def test_alter_table_mid_stream_takes_effect_with_the_next_row(place):
    place.relay = place.relay_with([
        capture("shop.item", columns='["id", "state", "size", "colour"]', insert='"made"')])
    place.start()
    place.run("insert into shop.item values (1, 'a', 1)")
    place.run("alter table shop.item add column colour text",
              "insert into shop.item values (2, 'b', 2, 'red')")
    place.run("alter table shop.item drop column size",
              "insert into shop.item (id, state, colour) values (3, 'c', 'blue')")
    place.run("alter table shop.item alter column id type text",
              "insert into shop.item (id, state) values ('4', 'd')")
    assert [told(place.of_key(key, 1)[0])["after"] for key in "1234"] == [
        {"id": 1, "state": "a", "size": 1},
        {"id": 2, "state": "b", "size": 2, "colour": "red"},
        {"id": 3, "state": "c", "colour": "blue"},
        {"id": "4", "state": "d", "colour": None}]
    wait_until(lambda: "size" in notice(place, "CAPTURE_COLUMN_GONE"), "the log names it")


def notice(place, code):
    return " ".join(line for line in place.relay.log_file.read_text().splitlines() if code in line)


def test_a_truncate_and_a_new_name_make_no_event_and_are_told(place):
    place.start()
    place.run("insert into shop.item values (1, 'a', 1)")
    place.run("truncate shop.item")
    place.run("insert into shop.item values (2, 'a', 1)")
    place.of_key("2", 1)
    place.run("alter table shop.item rename to item_old",
              "insert into shop.item_old values (3, 'a', 1)")
    place.run("create table shop.item (like shop.item_old including all)")
    wait_until(lambda: "shop.item was truncated" in notice(place, "CAPTURE_TRUNCATED"), "truncate")
    wait_until(lambda: "shop.item_old" in notice(place, "CAPTURE_RENAMED"), "the new name")
    assert len(place.arriving.records) == 2 and place.relay.running()


@pytest.mark.parametrize("column, role, left", [("id", "the key", "size"),
                                                ("state", "`when`", "id")])
def test_a_column_that_the_rules_need_and_that_is_dropped_stops_the_pipeline(
        place, column, role, left):
    place.relay = place.relay_with(
        [capture("shop.item", insert='"made"', when='{ state = "a" }')])
    place.start()
    place.run(f"alter table shop.item drop column {column}",
              f"insert into shop.item ({left}) values (1)")
    assert place.relay.wait() == 1
    said = place.relay.log_tail().replace('\\"', '"')
    assert "CAPTURE_COLUMN_MISSING" in said and f'column "{column}"' in said and role in said


def test_a_lost_slot_stops_and_names_the_gap_and_the_outbox_can_go_on_without_captures(place):
    place.start()
    place.run("insert into shop.item values (1, 'a', 1)")
    place.of_key("1", 1)
    wait_until(lambda: place.database.value("select delivered_seq from outbox.progress"
                                            " where pipeline = %s", [place.slot]) is not None,
               "a number is proven", 20)
    assert place.relay.stop() == 0
    drop_slots(place.database, place.slot)
    place.run("insert into shop.item values (2, 'lost', 1)",
              "select outbox.publish('order', 'row', 'published', '{}')")
    place.relay.start()
    assert place.relay.wait() == 1
    said = place.relay.log_tail()
    assert "SLOT_MISSING" in said and "business tables (shop.item)" in said
    assert "REFILLED" in said, "the way out is told"
    place.relay = place.relay_with([])
    place.start()
    place.of_key("row", 1)
    wait_until(lambda: "rows above seq" in notice(place, "REFILLED"), "refilled", 20)
    assert place.relay.stop() == 0
    place.relay = place.relay_with([capture("shop.item", **ALL)])
    place.start()
    place.run("insert into shop.item values (3, 'again', 1)")
    place.of_key("3", 1)
    assert not [one for one in place.arriving.records if one.key == b"2"]


def test_changes_of_keys_fit_a_small_window_though_each_is_two_events(place):
    """A window with one free place takes no change of a key."""
    place.relay = place.relay_with([capture("shop.item", **ALL)],
                                   pipeline_more="window_events = 64")
    place.start()
    place.run("insert into shop.item values (0, 'x', 0)",
              "insert into shop.item select g, 'new', g from generate_series(1, 3000) g",
              "update shop.item set id = id + 10000 where id > 0")
    place.run("insert into shop.item values (20000, 'last', 0)")
    place.of_key("20000", 1)
    wait_until(lambda: place.arriving.look() or len(by_id(place.arriving.records)) >= 9002,
               "the other partitions are read too")
    assert len(by_id(place.arriving.records)) == 9002 and place.relay.running()
