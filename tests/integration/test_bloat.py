"""Dead rows in the outbox, and their cleanup while events are sent."""

import statistics
import time
from contextlib import closing

import pytest

from one_place import relay_of
from postbox import Postbox
from server_side import drop_slots
from shop import Shop
from support.database import Database
from support.environment import soaking
from support.partitions import narrow
from support.topic import create_topic, delete_topic, unique_name
from support.waiting import wait_until

# Rows that were never committed are dead rows with numbers, in the path of whoever reads in order.
DEAD, WIDTH = (10_000_000, 1_000_000) if soaking() else (200_000, 20_000)
BATCH = 50_000
SAMPLES = 60
SLACK_MS = 20  # of a machine that does other things, too


def leave_dead_rows(database):
    with closing(database.connect(autocommit=False)) as connection, connection.cursor() as cursor:
        for _ in range(DEAD // BATCH):
            cursor.execute("insert into outbox.event (aggregate_type, aggregate_id, event_type)"
                           " select 'order', '1', 'dead' from generate_series(1, %s)", [BATCH])
            connection.rollback()


def latencies_ms(publish, arriving, enough):
    """From commit to consumer, one event after the other."""
    found = []
    while len(found) < SAMPLES or not enough():
        event_id = publish()
        begin = time.monotonic()
        while not arriving.arrivals(event_id):
            assert time.monotonic() - begin < 60, "an event did not arrive within a minute"
            arriving.look(0.001)
        found.append((time.monotonic() - begin) * 1000)
    return found


@pytest.mark.fault_row(24)
@pytest.mark.parametrize("mode", ["wal", "poll"])
def test_row_24_dead_rows_and_their_cleanup_leave_latency_as_it_was(tmp_path, mode):
    topic = create_topic(unique_name("bloat"), partitions=3)
    with Database() as database, closing(Postbox(topic)) as arriving, \
            closing(Shop(database)) as shop, \
            closing(database.connect(autocommit=False)) as old_snapshot:
        narrow(database, WIDTH, 2 * DEAD // WIDTH)
        relay = relay_of(tmp_path, database, topic, mode=mode, source_more='retention = "1s"')
        with relay:
            arriving.await_ids([shop.publish()])
            before = latencies_ms(shop.publish, arriving, lambda: True)

            # Nothing that is dead from now on can be vacuumed.
            old_snapshot.cursor().execute("set transaction isolation level repeatable read;"
                                          " select txid_current()")
            leave_dead_rows(database)
            most = table_mb(database)
            dead = database.value("select sum(n_dead_tup) from pg_stat_user_tables where relname"
                                  " ~ '^event_n'")
            after = latencies_ms(shop.publish, arriving, lambda: emptied(database) >= DEAD)
        old_snapshot.rollback()
        print(f"{mode}: {dead} dead rows, {most:.0f} MB, then {table_mb(database):.0f} MB; median"
              f" {statistics.median(before):.1f} ms before, {statistics.median(after):.1f} after")
        assert dead >= DEAD / 2  # some are gone already
        assert statistics.median(after) <= 2 * statistics.median(before) + SLACK_MS
        assert table_mb(database) < most / 4
        assert database.value("select sum(n_tup_del) from pg_stat_user_tables where relname"
                              " ~ '^event_n'") == 0, "partitions are emptied, no row is deleted"
        drop_slots(database, relay.slot)
    delete_topic(topic)


OWN_TABLE = """
create table public.own (
  seq bigserial primary key, id uuid not null default gen_random_uuid(),
  aggregate_type text not null, aggregate_id text, event_type text not null, payload jsonb)"""


@pytest.mark.fault_row(24)
@pytest.mark.parametrize("mode", ["wal", "poll"])
def test_row_24_rows_of_a_teams_own_table_are_deleted_without_starving_the_relay(tmp_path, mode):
    topic = create_topic(unique_name("bloat"), partitions=3)
    with Database() as database, closing(Postbox(topic)) as arriving, \
            closing(Shop(database)) as shop:
        database.execute(OWN_TABLE)

        def publish():
            return shop.run("insert into public.own (aggregate_type, aggregate_id, event_type)"
                            " values ('order', '1', 'E') returning id::text")

        with relay_of(tmp_path, database, topic, mode=mode,
                      source_more='table = "public.own"\nretention = "15s"') as relay:
            arriving.await_ids([publish()])
            database.execute("insert into public.own (aggregate_type, aggregate_id, event_type)"
                             " select 'order', '1', 'E' from generate_series(1, %s)", [DEAD // 4])
            arriving.await_ids([publish()], patience_s=120)
            before = latencies_ms(publish, arriving, lambda: True)
            wait_until(lambda: deleted(database) > 0, "rows are deleted", 120)
            during = latencies_ms(publish, arriving, lambda: deleted(database) > DEAD // 4)
        print(f"{mode}: median {statistics.median(before):.1f} ms before,"
              f" {statistics.median(during):.1f} while {DEAD // 4} rows are deleted")
        assert statistics.median(during) <= 2 * statistics.median(before) + SLACK_MS
        drop_slots(database, relay.slot)
    delete_topic(topic)


def deleted(database):
    return sum(rows for rows, in database.execute("select removed_rows from outbox.retention"))


def emptied(database):
    return database.value("select removed_below - 1 from outbox.retention")


def table_mb(database):
    return float(database.value("select sum(pg_total_relation_size(partition)) from"
                                " outbox.partition")) / 2**20
