"""A standby is promoted: what was delivered happened there too, or the relay stops and says so."""

from contextlib import closing

import pytest

from shop import Shop
from standby import Standby
from support.bystanders import stranger
from support.waiting import wait_until
from two_servers import publish_there, settle, two_servers


@pytest.fixture
def place(tmp_path):
    with two_servers(tmp_path, Standby) as place:
        place.standby = place.other
        yield place


@pytest.mark.fault_row(14)
def test_row_14_after_a_failover_that_lost_nothing_the_relay_follows_without_a_restart(place):
    settle(place, [place.shop.publish(key=str(number)) for number in range(50)])
    unseen = [place.shop.publish() for _ in range(5)]
    place.standby.catch_up()
    place.cluster.kill()
    place.standby.promote()
    after = publish_there(place, 5)
    place.arriving.await_ids([*unseen, *after], patience_s=60)
    wait_until(lambda: place.standby.execute(
        "select timeline from outbox.progress", database=place.database.name) == [(2,)],
        "progress is on the new timeline", 20)
    place.arriving.await_ids(publish_there(place))
    wait_until(lambda: "REFILLED" in place.relay.log_tail(), "it says so")
    assert place.relay.running()


@pytest.mark.fault_row(14)
def test_row_14_a_failover_while_a_new_slot_waits_and_polling_delivers_loses_nothing(place):
    assert place.relay.stop() == 0
    place.database.execute("select pg_drop_replication_slot(%s)", [place.relay.slot])
    with stranger(place.database):
        place.relay.start()
        wait_until(lambda: "POLLING_MEANWHILE" in place.relay.log_file.read_text(), "it polls", 60)
        place.arriving.await_ids([place.shop.publish(key=str(number)) for number in range(50)])
        unseen = [place.shop.publish() for _ in range(5)]
        place.standby.catch_up()
        place.cluster.kill()
    place.standby.promote()
    after = publish_there(place, 5)
    place.arriving.await_ids([*unseen, *after], patience_s=60)
    wait_until(lambda: "REFILLED" in place.relay.log_file.read_text(), "it says so", 60)
    place.arriving.await_ids(publish_there(place))
    assert place.relay.running()


@pytest.mark.fault_row(14)
def test_row_14_a_failover_that_lost_what_was_delivered_stops_and_names_where(place):
    place.standby.catch_up()
    place.standby.fall_behind()
    settle(place, [place.shop.publish()])
    place.cluster.kill()
    place.standby.promote()
    assert place.relay.wait(60) == 1
    said = place.relay.log_tail()
    assert "OTHER_TIMELINE" in said and "never happened here" in said
    place.relay.start()
    assert place.relay.wait(60) == 1, "a restart does not make it forget"
    assert place.relay.log_tail().count("OTHER_TIMELINE") >= 2


@pytest.mark.fault_row(14)
def test_row_14_a_failover_that_lost_only_heartbeats_is_followed_and_loses_no_event(place):
    """The relay has read beyond the fork; the new primary writes these LSNs again."""
    settle(place, [place.shop.publish()])
    place.standby.catch_up()
    place.standby.fall_behind()
    wait_until(lambda: read_beyond(place), "heartbeats beyond the fork are confirmed", 20)
    place.cluster.kill()
    place.standby.promote()
    after = publish_there(place, 20)
    place.arriving.await_ids(after, patience_s=60)
    wait_until(lambda: "TIMELINE_CHANGED" in place.relay.log_file.read_text(), "it says so")
    assert place.relay.running()


def read_beyond(place):
    received, = place.standby.execute("select pg_last_wal_receive_lsn()")[0]
    return place.database.value("select confirmed_flush_lsn > %s::pg_lsn + 1000"
                                " from pg_replication_slots where slot_name = %s",
                                [received, place.relay.slot])


@pytest.mark.fault_row(16)
def test_row_16_an_old_primary_that_comes_back_is_not_followed(place):
    """It comes first in the URL, and takes writes."""
    settle(place, [place.shop.publish()])
    place.standby.catch_up()
    place.cluster.kill()
    place.standby.promote()
    place.arriving.await_ids(publish_there(place), patience_s=60)
    wait_until(lambda: "REFILLED" in place.relay.log_tail(), "it follows the new primary")
    place.cluster.start()
    place.standby.execute("select pg_terminate_backend(pid) from pg_stat_activity"
                          " where application_name like 'outbox%' or backend_type = 'walsender'")
    wait_until(lambda: "a primary of before a failover" in place.relay.status()["reason"],
               "it says whom it does not follow", 30)
    with closing(Shop(place.database)) as strayed:
        event_id = strayed.publish()
    for _ in range(20):
        place.arriving.look(0.1)
    assert not place.arriving.arrivals(event_id)
    place.cluster.kill()
    place.arriving.await_ids(publish_there(place), patience_s=60)
