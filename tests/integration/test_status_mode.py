"""Polling by status: READY rows of a table of the team's own are delivered and marked."""

import time
from contextlib import closing

import pytest

from logins import login
from one_place import slot_name
from outbox import outbox
from status_place import ORDER, StatusPlace, status_relay
from support.waiting import wait_until


@pytest.fixture
def place():
    with StatusPlace() as place:
        yield place


@pytest.fixture
def relay(tmp_path, place):
    with status_relay(tmp_path, place) as relay:
        yield relay


def await_sent(place, count, patience_s=20):
    wait_until(lambda: place.counter.statuses() == {"SENT": count}, f"{count} rows are SENT",
               patience_s)


def test_a_ready_row_is_delivered_and_marked_sent(place, relay):
    event_id = place.counter.insert(key="k", payload={"a": 1})
    record = place.arriving.await_ids([event_id])[0]
    assert record.key == b"k" and record.value == b'{"a": 1}'
    assert dict(record.headers)["aggregate_type"] == b"order"
    await_sent(place, 1)


def test_nothing_of_our_schema_and_no_slot_is_needed(place, relay):
    place.arriving.await_ids([place.counter.insert()])
    assert place.database.value("select count(*) from pg_namespace where nspname = 'outbox'") == 0
    assert place.database.value("select count(*) from pg_replication_slots where slot_name = %s",
                                [relay.slot]) == 0


def test_what_was_rolled_back_is_never_delivered(place, relay):
    with pytest.raises(ZeroDivisionError), place.counter.transaction() as cursor:
        lost = place.counter.insert(cursor=cursor)
        raise ZeroDivisionError
    with place.counter.transaction() as cursor:
        kept = place.counter.insert(cursor=cursor)
        cursor.execute("savepoint s")
        undone = place.counter.insert(cursor=cursor)
        cursor.execute("rollback to savepoint s")
    place.arriving.await_ids([kept, place.counter.insert()])
    await_sent(place, 2)
    assert not place.arriving.arrivals(lost) and not place.arriving.arrivals(undone)


def test_rows_of_before_the_first_start_are_delivered_in_order(tmp_path, place):
    ids = [place.counter.insert(key="one", payload={"n": n}) for n in range(300)]
    with status_relay(tmp_path, place):
        records = place.arriving.await_ids(ids)
        assert [r.offset for r in records] == sorted(r.offset for r in records)
        await_sent(place, 300)


def test_a_prepared_transaction_comes_when_it_is_decided_and_holds_nobody_back(place, relay):
    with closing(place.database.connect(autocommit=False)) as connection:
        connection.tpc_begin(connection.xid(1, slot_name(), "status"))
        with connection.cursor() as cursor:
            prepared = place.counter.insert(key="1", cursor=cursor)
        connection.tpc_prepare()
        place.arriving.await_ids([place.counter.insert(key="1")])
        assert not place.arriving.arrivals(prepared)
        connection.tpc_commit()
    place.arriving.await_ids([prepared])
    await_sent(place, 2)


def test_a_row_committed_late_with_a_lower_number_is_not_skipped(place, relay):
    with closing(place.database.connect(autocommit=False)) as connection, \
            connection.cursor() as cursor:
        late = place.counter.insert(cursor=cursor)
        place.arriving.await_ids([place.counter.insert() for _ in range(20)])
        await_sent(place, 20)
        connection.commit()
    place.arriving.await_ids([late])
    await_sent(place, 21)


def test_after_kill_9_every_row_arrives_and_the_order_of_keys_is_kept(tmp_path, place):
    keys, rounds, rows = 20, 4, 20_000
    ids = []
    relay = status_relay(tmp_path, place)
    with relay:
        for _ in range(rounds):
            with place.counter.transaction() as cursor:
                ids += insert_many(cursor, rows, keys)
            wait_until(lambda: place.counter.statuses().get("SENT", 0) > len(ids) - rows,
                       "some of them are marked", pause_s=0.001)
            relay.kill()
            assert place.counter.statuses().get("READY", 0) > 0, "killed too late"
            relay.start()
        place.arriving.await_ids(ids, 60)
        await_sent(place, len(ids), 60)
    assert out_of_order(place, ids) == 0
    print(f"{len(place.arriving.records) - len(ids)} duplicates of {len(ids)} events")


def insert_many(cursor, rows, keys):
    """In the order of the ids that come back."""
    cursor.execute("insert into public.outbox (id, aggregate_type, aggregate_id, payload)"
                   " select gen_random_uuid(), 'order', (n %% %s)::text, jsonb_build_object('n', n)"
                   " from generate_series(1, %s) n returning id::text", [keys, rows])
    return [one for one, in cursor.fetchall()]


def out_of_order(place, ids):
    """First arrivals of a key must come in the order of their inserts."""
    number = {event_id: n for n, event_id in enumerate(ids)}
    newest, seen, wrong = {}, set(), 0
    for record in sorted(place.arriving.records, key=lambda r: (r.partition, r.offset)):
        if record.event_id in seen:
            continue
        seen.add(record.event_id)
        wrong += number[record.event_id] < newest.get(record.key, -1)
        newest[record.key] = max(number[record.event_id], newest.get(record.key, -1))
    return wrong
