"""Polling by status with more than one relay: shards of keys, each with one reader
(invariant 8)."""

import time

import pytest

from one_place import slot_name
from status_place import StatusPlace, status_relay
from support.waiting import wait_until
from test_status_mode import insert_many, out_of_order

SHARDS = 8


@pytest.fixture
def place():
    with StatusPlace() as place:
        yield place


@pytest.fixture
def two(tmp_path, place):
    """Two relays of one pipeline that have come to share the shards."""
    name = slot_name()
    with status_relay(tmp_path / "a", place, slot=name) as first:
        wait_until(lambda: shards_of(place) == [SHARDS], "one alone holds all shards", 5)
        with status_relay(tmp_path / "b", place, slot=name) as second:
            wait_until(lambda: shards_of(place) == [SHARDS // 2] * 2, "each holds half", 10)
            wait_until(lambda: all(shards_shown(one) == SHARDS // 2 for one in (first, second)),
                       "metrics show it")
            yield first, second


def shards_of(place):
    """How many shards each relay holds, by the server's lock table."""
    return sorted(count for count, in place.database.execute(
        "select count(*) from pg_locks where locktype = 'advisory' and granted and objsubid = 2"
        " and objid < 1000000 and database = (select oid from pg_database"
        " where datname = current_database()) group by pid"))


def shards_shown(relay):
    return relay.metrics()['outbox_source_shards{pipeline="%s"}' % relay.slot]


def test_two_relays_share_the_shards_and_deliver_every_row_once(place, two):
    with place.counter.transaction() as cursor:
        ids = insert_many(cursor, 20_000, 500)
    place.arriving.await_ids(ids, 60)
    wait_until(lambda: place.counter.statuses() == {"SENT": len(ids)}, "all are SENT")
    assert len(place.arriving.records) == len(ids)
    assert out_of_order(place, ids) == 0
    assert all(taken(relay) > 1000 for relay in two)


def test_when_one_is_killed_the_other_has_all_shards_within_five_seconds_and_keys_keep_their_order(
        place, two):
    first, second = two
    with place.counter.transaction() as cursor:
        ids = insert_many(cursor, 60_000, 500)
    wait_until(lambda: place.counter.statuses().get("SENT", 0) > 5000, "they are at work",
               pause_s=0.001)
    first.kill()
    killed_at = time.monotonic()
    wait_until(lambda: shards_of(place) == [SHARDS], "the other holds all shards", 5)
    print(f"all shards after {time.monotonic() - killed_at:.1f} s")
    place.arriving.await_ids(ids, 60)
    wait_until(lambda: place.counter.statuses() == {"SENT": len(ids)}, "all are SENT", 60)
    assert out_of_order(place, ids) == 0


def test_a_relay_that_hangs_loses_its_shards_and_marks_nothing_when_it_wakes_up(place, two):
    first, second = two
    first.pause()
    wait_until(lambda: shards_of(place) == [SHARDS], "the other holds all shards", 30)
    ids = [place.counter.insert(key=str(n)) for n in range(200)]
    place.arriving.await_ids(ids)
    wait_until(lambda: place.counter.statuses() == {"SENT": len(ids)}, "all are SENT")
    first.resume()
    wait_until(lambda: shards_of(place) == [SHARDS // 2] * 2, "they share again", 30)
    more = [place.counter.insert(key=str(n)) for n in range(200)]
    place.arriving.await_ids(more)
    assert out_of_order(place, ids + more) == 0


def test_a_relay_that_ends_gives_its_shards_over_without_a_repeat(place, two):
    first, second = two
    with place.counter.transaction() as cursor:
        ids = insert_many(cursor, 40_000, 500)
    wait_until(lambda: place.counter.statuses().get("SENT", 0) > 5000, "they are at work",
               pause_s=0.001)
    assert first.stop() == 0
    place.arriving.await_ids(ids, 60)
    wait_until(lambda: place.counter.statuses() == {"SENT": len(ids)}, "all are SENT", 60)
    assert len(place.arriving.records) == len(ids)
    assert out_of_order(place, ids) == 0


def test_a_relay_that_divides_the_keys_otherwise_waits_and_says_so(tmp_path, place):
    name = slot_name()
    with status_relay(tmp_path / "a", place, slot=name):
        other = status_relay(tmp_path / "b", place, slot=name, more="shards = 3")
        other.start()
        try:
            wait_until(lambda: "divides the keys into 8 shards, this one into 3"
                       in other.log_tail(), "it says why it waits")
            place.arriving.await_ids([place.counter.insert()])
        finally:
            other.kill()


def taken(relay):
    return relay.metrics()['outbox_events_taken_total{pipeline="%s"}' % relay.slot]
