"""Both modes under what makes relays lose rows: thousands of overlapping transactions on shared
keys that roll back, roll back to savepoints, prepare, dawdle and commit asynchronously; Postgres
and relay killed, slots dropped in between. The judge is outside: what was committed is in the
table."""

import time
from collections import defaultdict
from contextlib import closing

import pytest

from one_place import relay_of, slot_name
from postbox import Postbox
from stress_writers import KILLS, SECONDS, StressWriter, StressWriters
from support.database import Database
from support.topic import create_topic, delete_topic, unique_name
from support.waiting import wait_until


class Publisher(StressWriter):
    def write(self, cursor, key):
        cursor.execute("select outbox.publish('order', %s, 'changed', '{}'::jsonb)", [key])


def writing(database):
    return StressWriters(database, lambda number, stop: Publisher(database, number, stop))


@pytest.mark.parametrize("mode", ["poll", "wal", "wal, slot lost"])
def test_lost_0_ghosts_0_and_in_order(tmp_path, services, mode):
    topic = create_topic(unique_name("stress"), partitions=3)
    with Database() as database, relay_of(tmp_path, database, topic, mode=mode.split(",")[0]) \
            as relay:
        with writing(database) as writers:
            for _ in range(KILLS):
                time.sleep(SECONDS / (KILLS + 1) / 2)
                relay.kill()
                if mode == "wal, slot lost":
                    lose_slot(database, relay)
                relay.start()
                time.sleep(SECONDS / (KILLS + 1) / 2)
                services.kill("postgres")
                services.start("postgres")
            time.sleep(SECONDS / (KILLS + 1))
        judge(database, topic, relay, writers, ordered=mode == "poll")
    delete_topic(topic)


def lose_slot(database, relay):
    """Once a number is proven, else the start is refused."""
    proven = "select delivered_seq is not null from outbox.progress where pipeline = %s"
    if not database.value(proven, [relay.slot]):
        relay.start()
        wait_until(lambda: database.value(proven, [relay.slot]), "a sequence number is proven", 30)
        relay.kill()
    wait_until(lambda: database.value("select not active from pg_replication_slots where"
                                      " slot_name = %s", [relay.slot]), "the slot is free", 30)
    database.execute("select pg_drop_replication_slot(%s)", [relay.slot])


def test_from_the_wal_to_polling_lost_0_and_ghosts_0(tmp_path):
    """The proven number must lie below whatever may still commit, or rows are left out."""
    topic = create_topic(unique_name("switch"), partitions=3)
    name = slot_name()
    with Database() as database:
        with relay_of(tmp_path, database, topic, slot=name) as relay, writing(database) as writers:
            time.sleep(SECONDS / 2)
            wait_until(lambda: database.value(
                "select max(delivered_seq) from outbox.progress where pipeline = %s", [name]),
                "a sequence number is proven", 30)
            relay.stop()
            with relay_of(tmp_path, database, topic, slot=name, mode="poll") as relay:
                time.sleep(SECONDS / 4)
                writers.end()
                judge(database, topic, relay, writers, ordered=False)
    delete_topic(topic)


def judge(database, topic, relay, writers, ordered=True):
    """`ordered`: by number; from the WAL events come in the order of their commits."""
    transactions = writers.transactions()
    wait_until(lambda: database.value(
        "select delivered_seq = (select last_value from outbox.event_seq)"
        " from outbox.progress where pipeline = %s", [relay.slot]), "all is delivered", 60)
    committed = {str(event_id): seq for event_id, seq in database.execute(
        "select id, seq from outbox.event")}
    with closing(Postbox(topic)) as arrived:
        arrived.await_ids(committed, 60)
        ghosts = {record.event_id for record in arrived.records} - committed.keys()
        assert not ghosts
        if ordered:
            assert out_of_order(arrived.records, committed) == 0
        print(f"{transactions} transactions, {len(committed)} committed events,"
              f" {len(arrived.records) - len(committed)} duplicates")


def test_what_a_crash_takes_back_was_never_delivered(tmp_path, services):
    """Asynchronous commits reach the disk late here, by nobody's commit but the relay's own."""
    topic = create_topic(unique_name("async"))
    with Database() as database, relay_of(tmp_path, database, topic, mode="poll"), \
            closing(Postbox(topic)) as arrived:
        database.execute("alter system set wal_writer_delay = '10s'")
        database.execute("select pg_reload_conf()")
        try:
            for _ in range(6):
                with closing(database.connect()) as connection, connection.cursor() as cursor:
                    cursor.execute("set synchronous_commit = off")
                    cursor.execute("select outbox.publish('order', '1', 'changed', '{}'::jsonb)")
                    event_id = cursor.fetchone()[0]
                    wait_until(lambda: arrived.look(0.001) or arrived.arrivals(event_id),
                               "it arrives", 20)
                    services.kill("postgres")
                services.start("postgres")
                assert database.value("select count(*) from outbox.event where id = %s",
                                      [event_id]) == 1, "a ghost was delivered"
        finally:
            database.execute("alter system reset wal_writer_delay")
            database.execute("select pg_reload_conf()")
    delete_topic(topic)


def out_of_order(records, seq_of):
    """First arrivals of a key must come in the order of their numbers."""
    newest = defaultdict(int)
    seen = set()
    wrong = 0
    for record in sorted(records, key=lambda one: (one.partition, one.offset)):
        if record.event_id in seen:
            continue
        seen.add(record.event_id)
        wrong += seq_of[record.event_id] < newest[record.key]
        newest[record.key] = max(newest[record.key], seq_of[record.event_id])
    return wrong
