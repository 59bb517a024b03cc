"""A lost slot is not a lost event: the table has the rows, and then the new slot streams."""

import re
import signal
import time
from contextlib import closing

import pytest

from cluster import Cluster
from one_place import arriving, database, relay_of, shop, slot_name, topic
from outbox import outbox
from postbox import Postbox
from server_side import change_saved, drop_slots, saved
from shop import Shop
from steady_load import SteadyLoad
from support.database import Database
from support.topic import create_topic, delete_topic, unique_name
from support.waiting import wait_until


@pytest.fixture
def relay(tmp_path, database, topic, arriving):
    relay = relay_of(tmp_path, database, topic)
    yield relay
    if relay.running():
        relay.kill()
    drop_slots(database, relay.slot)


def run_until_proven(relay, database, shop, arriving):
    """Delivers something and saves its number; the number."""
    relay.start()
    relay.wait_ready()
    arriving.await_ids([shop.publish()])
    last = database.value("select last_value from outbox.event_seq")
    wait_until(lambda: (saved(database, relay.slot, "delivered_seq") or 0) >= last,
               "the last number is proven", 20)
    return last


def drop_slot(database, slot):
    database.execute("select pg_drop_replication_slot(%s)", [slot])


def seqs(database):
    return dict(database.execute("select id::text, seq from outbox.event"))


def is_streaming(relay, database):
    return database.value("select active from pg_replication_slots where slot_name = %s",
                          [relay.slot])


@pytest.mark.fault_row(13)
def test_row_13_a_slot_that_was_dropped_is_made_anew_and_its_rows_come_from_the_table(
        relay, database, shop, arriving):
    proven = run_until_proven(relay, database, shop, arriving)
    relay.stop()
    drop_slot(database, relay.slot)
    missing = [shop.publish(key=str(number)) for number in range(50)]
    done = outbox("doctor", "--config", str(relay.config_file), **relay.environ)
    assert "SLOT_MISSING" in done.out and f"above seq {proven} again" in done.out
    with SteadyLoad(shop) as load:
        relay.start()
        relay.wait_ready()
        wait_until(lambda: "REFILLED" in relay.log_tail(), "the rows were read again")
        wait_until(lambda: is_streaming(relay, database), "the new slot is read")
        time.sleep(1)
    load.verify(arriving)
    arriving.await_ids(missing)
    number = seqs(database)
    assert [one for one in missing if number[one] <= proven] == []
    assert "SLOT_MISSING" in relay.log_tail()


@pytest.mark.fault_row(13)
@pytest.mark.parametrize("how", ["made anew", "moved"])
def test_row_13_a_slot_that_starts_ahead_of_what_was_saved_is_not_believed(
        relay, database, shop, arriving, how):
    run_until_proven(relay, database, shop, arriving)
    relay.stop()
    if how == "made anew":
        drop_slot(database, relay.slot)
    missing = [shop.publish() for _ in range(20)]
    if how == "made anew":
        database.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", [relay.slot])
    else:
        database.execute("select pg_replication_slot_advance(%s, pg_current_wal_flush_lsn())",
                         [relay.slot])
    relay.start()
    relay.wait_ready()
    arriving.await_ids([*missing, shop.publish()])
    assert "SLOT_AHEAD" in relay.log_tail()


@pytest.mark.fault_row(13)
def test_row_13_a_slot_dropped_under_a_running_relay_heals_without_a_restart(
        relay, database, shop, arriving):
    run_until_proven(relay, database, shop, arriving)
    with SteadyLoad(shop) as load:
        for number in range(1, 4):
            time.sleep(1)
            steal_slot(database, relay.slot)
            wait_until(lambda: relay.log_file.read_text().count("REFILLED") == number,
                       "the rows were read again", 30)
            wait_until(lambda: is_streaming(relay, database), "it streams again", 30)
    load.verify(arriving)
    assert relay.running()


def steal_slot(database, slot):
    """Ends the walsender and drops the slot before the relay is back."""
    def stolen():
        database.execute("select pg_terminate_backend(active_pid) from pg_replication_slots"
                         " where slot_name = %s and active", [slot])
        try:
            drop_slot(database, slot)
        except Exception:
            return False
        return True
    wait_until(stolen, "the slot is dropped")


@pytest.mark.fault_row(12)
def test_row_12_an_invalidated_slot_is_replaced_and_nothing_is_lost(tmp_path):
    """The server throws the WAL away while the relay is stopped."""
    settings = {"max_slot_wal_keep_size": "1MB", "min_wal_size": "32MB", "max_wal_size": "32MB"}
    topic = create_topic(unique_name("lost"), partitions=3)
    arriving = Postbox(topic)
    try:
        with Cluster(tmp_path / "services", settings) as cluster, \
                Database(server_url=cluster.url) as database, closing(Shop(database)) as shop:
            relay = relay_of(tmp_path, database, topic)
            run_until_proven(relay, database, shop, arriving)
            relay.stop()
            missing = [shop.publish(key=str(number)) for number in range(100)]
            invalidate(database, relay.slot)
            done = outbox("doctor", "--config", str(relay.config_file), **relay.environ)
            assert "SLOT_LOST" in done.out and "nothing is lost" in done.out
            with relay:
                arriving.await_ids([*missing, shop.publish()])
                wait_until(lambda: "REFILLED" in relay.log_tail(), "the refill is told")
                assert "SLOT_LOST" in relay.log_tail()
            drop_slots(database, relay.slot)
    finally:
        arriving.close()
        delete_topic(topic)


def invalidate(database, slot):
    def lost():
        database.execute("select pg_logical_emit_message(false, 'filler', repeat('x', 1000000))"
                         " from generate_series(1, 20)")
        database.execute("select pg_switch_wal()")
        database.execute("checkpoint")
        return database.value("select wal_status from pg_replication_slots where slot_name = %s",
                              [slot]) == "lost"
    wait_until(lost, "the slot is invalidated", 60)


def test_from_polling_to_the_wal_and_back_under_load_nothing_is_lost(
        tmp_path, database, topic, shop, arriving):
    name = slot_name()
    with SteadyLoad(shop) as load:
        with relay_of(tmp_path, database, topic, slot=name, mode="poll"):
            wait_until(lambda: len(load.ids) > 300, "it polls for a while", 30)
        with relay_of(tmp_path, database, topic, slot=name) as relay:
            wait_until(lambda: "REFILLED" in relay.log_tail(), "it goes over to the WAL")
            assert "was polled until now" in relay.log_tail()
            wait_until(lambda: is_streaming(relay, database), "the WAL is read", 20)
            time.sleep(1)
            switch(relay, "poll")
            wait_until(lambda: "SLOT_DROPPED" in relay.log_tail(), "it polls again")
            time.sleep(1)
            switch(relay, "wal")
            wait_until(lambda: relay.log_file.read_text().count("REFILLED") == 2, "WAL again")
            time.sleep(1)
            switch(relay, "poll")
            wait_until(lambda: relay.log_file.read_text().count("SLOT_DROPPED") == 2, "polls again")
            load.stop()
            load.verify(arriving)
    assert not database.value("select count(*) from pg_replication_slots where slot_name = %s",
                              [name])


def switch(relay, mode):
    """By config and SIGHUP."""
    text = relay.config_file.read_text()
    relay.config_file.write_text(re.sub('mode = "[a-z]+"', f'mode = "{mode}"', text))
    relay.process.send_signal(signal.SIGHUP)


def test_a_crash_in_the_middle_of_a_refill_begins_it_again_and_loses_nothing(
        relay, database, shop, arriving):
    run_until_proven(relay, database, shop, arriving)
    relay.stop()
    drop_slot(database, relay.slot)
    database.execute("select outbox.publish('order', g::text, 'bulk', '{}'::jsonb)"
                     " from generate_series(1, 150000) g")
    last = shop.publish()
    for _ in range(3):
        relay.start()
        wait_until(lambda: arriving.look(0.05) or "above seq" in relay.status()["reason"],
                   "it is reading rows again")
        relay.kill()
    relay.start()
    relay.wait_ready()
    arriving.await_ids([last, shop.publish()], patience_s=60)
    bulk = [one for one, in database.execute("select id::text from outbox.event"
                                             " where event_type = 'bulk'")]
    arriving.await_ids(bulk, patience_s=60)


def test_while_the_slot_waits_for_an_open_writer_status_names_it(relay, database, shop, arriving):
    run_until_proven(relay, database, shop, arriving)
    relay.stop()
    drop_slot(database, relay.slot)
    with closing(database.connect(autocommit=False)) as connection, connection.cursor() as cursor:
        late = shop.publish(cursor=cursor)
        relay.start()
        wait_until(lambda: f"pid {connection.info.backend_pid}" in reason(relay), "it is named")
        connection.commit()
    relay.wait_ready()
    arriving.await_ids([late])


def reason(relay):
    try:
        return relay.status()["reason"]
    except OSError:
        return ""


@pytest.mark.parametrize("what, change, says", [
    ("no number proven", "update outbox.progress set delivered_seq = null", "no sequence number"),
    ("emitted events", "select nextval('outbox.emitted')", "outbox.emit"),
    ("dropped partitions", "drop table outbox.event_p000001", "were dropped")])
def test_a_gap_that_the_table_cannot_close_stops_the_start_and_is_named(
        tmp_path, topic, what, change, says):
    arriving = Postbox(topic)
    with Database() as database, closing(Shop(database)) as shop, closing(arriving):
        relay = relay_of(tmp_path, database, topic)
        run_until_proven(relay, database, shop, arriving)
        relay.stop()
        drop_slot(database, relay.slot)
        if "progress" in change:
            database.execute("drop trigger guard_progress on outbox.progress")
        database.execute(change)
        relay.start()
        assert relay.wait() == 1
        assert "SLOT_MISSING" in relay.log_tail() and says in relay.log_tail()
        assert not database.value("select count(*) from pg_replication_slots"
                                  " where slot_name = %s", [relay.slot])
        done = outbox("doctor", "--config", str(relay.config_file), **relay.environ)
        assert done.code == 1 and says in done.out
