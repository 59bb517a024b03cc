"""Polling by status under what makes pollers lose rows: overlapping transactions on shared keys
that roll back, roll back to savepoints, prepare, dawdle and commit asynchronously; two relays that
share the shards; Postgres and relays killed in between. The judge is outside: what was committed
is in the table, and when each row was inserted and known to be committed is noted by its writer.
"""

import os
import random
import threading
import time
from collections import defaultdict
from contextlib import closing

import psycopg2

from one_place import slot_name
from status_place import StatusPlace, status_relay
from support.topic import unique_name
from support.waiting import wait_until

WRITERS = 8
KEYS = 40
SECONDS = float(os.environ.get("OUTBOX_POLL_STRESS_SECONDS", "20"))
KILLS = int(os.environ.get("OUTBOX_POLL_STRESS_KILLS", "2"))


SLOW_MARKS = """
create function slow() returns trigger language plpgsql as
  $$ begin perform pg_sleep(0.5); return null; end $$;
create trigger slow before update on public.outbox for each statement execute function slow()"""


class Writer(threading.Thread):
    """Transactions of one connection after the other, until told to stop."""

    def __init__(self, place, number, stop):
        super().__init__(daemon=True)
        self._place = place
        self._draw = random.Random(number)
        self._stop_it = stop
        self.transactions = 0
        self.inserted_at = {}    # id -> before its INSERT
        self.committed_at = {}   # id -> after its COMMIT
        self.failure = None

    def run(self):
        while not self._stop_it.is_set():
            try:
                with closing(self._place.database.connect(autocommit=False)) as connection:
                    while not self._stop_it.is_set():
                        self._transaction(connection)
                        self.transactions += 1
            except psycopg2.OperationalError:
                time.sleep(0.1)  # Postgres was killed
            except Exception as failure:
                self.failure = failure
                return

    def _transaction(self, connection):
        draw = self._draw
        prepared = draw.random() < 0.15
        ids = []
        if prepared:
            connection.tpc_begin(connection.xid(1, unique_name("status"), "stress"))
        with connection.cursor() as cursor:
            if draw.random() < 0.3:
                cursor.execute("set local synchronous_commit = off")
            for _ in range(draw.randint(1, 4)):
                ids.append(self._insert(cursor))
                if draw.random() < 0.3:
                    cursor.execute("savepoint s")
                    undone = self._insert(cursor)
                    undo = draw.random() < 0.6
                    cursor.execute("rollback to savepoint s" if undo else "release savepoint s")
                    ids += [] if undo else [undone]
                if draw.random() < 0.1:
                    time.sleep(draw.uniform(0, 0.1))
        lost = draw.random() < 0.25
        if prepared:
            connection.tpc_prepare()
            time.sleep(draw.uniform(0, 0.3))
            (connection.tpc_rollback if lost else connection.tpc_commit)()
        else:
            (connection.rollback if lost else connection.commit)()
        if not lost:
            now = time.monotonic()
            self.committed_at.update((event_id, now) for event_id in ids)

    def _insert(self, cursor):
        now = time.monotonic()
        event_id = self._place.counter.insert(key=str(self._draw.randrange(KEYS)), cursor=cursor)
        self.inserted_at[event_id] = now
        return event_id


def test_lost_0_ghosts_0_and_in_order_with_two_relays_and_servers_killed(tmp_path, services):
    name = slot_name()
    stop = threading.Event()
    with StatusPlace() as place, status_relay(tmp_path / "a", place, slot=name) as first, \
            status_relay(tmp_path / "b", place, slot=name) as second:
        writers = [Writer(place, number, stop) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        for number in range(KILLS):
            for kill in (lambda: restart(first if number % 2 else second),
                         lambda: (services.kill("postgres"), services.start("postgres"))):
                time.sleep(SECONDS / (2 * KILLS + 1))
                kill()
        time.sleep(SECONDS / (2 * KILLS + 1))
        stop.set()
        for writer in writers:
            writer.join(30)
            assert writer.failure is None
        judge(place, writers)


def restart(relay):
    relay.kill()
    relay.start()


def judge(place, writers):
    for (gid,) in place.database.execute("select gid from pg_prepared_xacts where database = %s",
                                         [place.database.name]):
        place.database.execute(f"rollback prepared '{gid}'")
    transactions = sum(writer.transactions for writer in writers)
    assert transactions > 10 * SECONDS
    wait_until(lambda: set(place.counter.statuses()) == {"SENT"}, "every row is SENT", 60)
    committed = {event_id for event_id, in place.database.execute(
        "select id::text from public.outbox")}
    place.arriving.await_ids(committed, 60)
    assert not {record.event_id for record in place.arriving.records} - committed, "ghosts"
    assert out_of_order(place.arriving.records, writers) == 0
    print(f"{transactions} transactions, {len(committed)} committed events,"
          f" {len(place.arriving.records) - len(committed)} duplicates")


def out_of_order(records, writers):
    """First arrivals of a key: nobody may come before what was known to be committed when its own
    INSERT began."""
    inserted_at, committed_at = {}, {}
    for writer in writers:
        inserted_at.update(writer.inserted_at)
        committed_at.update(writer.committed_at)
    arrivals = defaultdict(dict)
    for record in sorted(records, key=lambda one: (one.partition, one.offset)):
        arrivals[record.key].setdefault(record.event_id, None)
    wrong = 0
    for ids in arrivals.values():
        soonest = float("inf")  # commit of whoever came later
        for event_id in reversed(list(ids)):
            wrong += soonest < inserted_at[event_id]
            soonest = min(soonest, committed_at.get(event_id, float("inf")))
    return wrong


def test_what_a_crash_takes_back_was_never_delivered(tmp_path, services):
    """Asynchronous commits reach the disk late here, and a mark, whose commit would bring them
    there, takes its time."""
    with StatusPlace() as place, status_relay(tmp_path, place):
        place.database.execute(SLOW_MARKS)
        place.database.execute("alter system set wal_writer_delay = '10s'")
        place.database.execute("select pg_reload_conf()")
        try:
            for _ in range(6):
                with closing(place.database.connect()) as connection, \
                        connection.cursor() as cursor:
                    cursor.execute("set synchronous_commit = off")
                    event_id = place.counter.insert(cursor=cursor)
                    wait_until(lambda: place.arriving.look(0.001)
                               or place.arriving.arrivals(event_id), "it arrives", 20)
                    services.kill("postgres")
                services.start("postgres")
                assert place.database.value("select count(*) from public.outbox where id = %s",
                                            [event_id]) == 1, "a ghost was delivered"
        finally:
            place.database.execute("alter system reset wal_writer_delay")
            place.database.execute("select pg_reload_conf()")
