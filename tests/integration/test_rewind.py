"""The server is restored to an earlier point: what was delivered since never happened there."""

import re

import pytest

from standby import Backup
from support.waiting import wait_until
from two_servers import publish_there, settle, two_servers


@pytest.fixture
def place(tmp_path):
    with two_servers(tmp_path, Backup) as place:
        yield place


@pytest.fixture
def polled(tmp_path):
    with two_servers(tmp_path, Backup, mode="poll") as place:
        yield place


def publish(place, count):
    return [place.shop.publish(key=str(number)) for number in range(count)]


def now(place):
    return place.database.value("select pg_current_wal_insert_lsn()")


def restore(place, lsn):
    place.cluster.kill()
    place.other.restore(lsn)


def ids_there(place):
    return [row[0] for row in place.other.execute("select id::text from outbox.event",
                                                  database=place.database.name)]


def epochs(place, event_ids):
    return [int(record.header("epoch")) for one in event_ids
            for record in place.arriving.arrivals(one)]


def goes_on_there(place, taken_back, patience_s=60):
    """All that is in the restored table arrives, and what comes now has an epoch above all
    before."""
    before = max(epochs(place, taken_back))
    after = publish_there(place, 20)
    place.arriving.await_ids(after, patience_s)
    there = ids_there(place)
    assert not set(there) & set(taken_back), "the restore took nothing back: this shows nothing"
    place.arriving.await_ids(there)
    assert min(epochs(place, after)) > before


@pytest.mark.fault_row(15)
def test_row_15_a_start_after_a_restore_delivers_what_is_there_and_raises_the_epoch(place):
    settle(place, publish(place, 10))
    place.relay.stop()
    publish(place, 10)
    point = now(place)
    for _ in range(3):
        place.relay.start()
        place.relay.wait_ready()
        taken_back = publish(place, 5)
        settle(place, taken_back)
        place.relay.stop()
    restore(place, point)
    place.relay.start()
    goes_on_there(place, taken_back)
    assert "TIMELINE_CHANGED" in place.relay.log_file.read_text()


@pytest.mark.fault_row(15)
def test_row_15_a_running_relay_stops_until_the_restore_is_accepted(place):
    settle(place, publish(place, 10))
    point = now(place)
    taken_back = publish(place, 5)
    settle(place, taken_back)
    restore(place, point)
    assert place.relay.wait(60) == 1
    said = place.relay.log_file.read_text()
    assert "OTHER_TIMELINE" in said and "never happened here" in said
    remedy = re.search(r"with old as .*? from old;", said)[0]
    place.other.execute(remedy, database=place.database.name)
    place.relay.start()
    goes_on_there(place, taken_back)
    wait_until(lambda: "REFILLED" in place.relay.log_tail(), "the rows were read again")


@pytest.mark.fault_row(15)
def test_row_15_rows_that_were_given_old_numbers_again_are_not_passed_over_by_polling(polled):
    """The relay looks again only once the restored sequence is beyond all that it has read."""
    settle(polled, publish(polled, 10))
    point = now(polled)
    taken_back = publish(polled, 100)
    settle(polled, taken_back)
    polled.relay.pause()
    restore(polled, point)
    publish_there(polled, 200)
    polled.relay.resume()
    assert polled.relay.wait(60) == 1
    assert "OTHER_TIMELINE" in polled.relay.log_tail()
    polled.relay.start()
    goes_on_there(polled, taken_back)
    assert "TIMELINE_CHANGED" in polled.relay.log_tail()
