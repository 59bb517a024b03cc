"""Polling by status under what makes pollers lose rows: overlapping transactions on shared keys
that roll back, roll back to savepoints, prepare, dawdle and commit asynchronously; two relays that
share the shards; Postgres and relays killed in between. The judge is outside: what was committed
is in the table, and when each row was inserted and known to be committed is noted by its writer.
"""

import time
from collections import defaultdict
from contextlib import closing

from one_place import slot_name
from status_place import StatusPlace, status_relay
from stress_writers import KILLS, SECONDS, StressWriter, StressWriters
from support.waiting import wait_until

SLOW_MARKS = """
create function slow() returns trigger language plpgsql as
  $$ begin perform pg_sleep(0.5); return null; end $$;
create trigger slow before update on public.outbox for each statement execute function slow()"""


class Inserter(StressWriter):
    def __init__(self, place, number, stop):
        super().__init__(place.database, number, stop)
        self._place = place
        self.inserted_at = {}    # id -> before its INSERT
        self.committed_at = {}   # id -> after its COMMIT

    def write(self, cursor, key):
        now = time.monotonic()
        event_id = self._place.counter.insert(key=key, cursor=cursor)
        self.inserted_at[event_id] = now
        return event_id

    def committed(self, names):
        now = time.monotonic()
        self.committed_at.update((event_id, now) for event_id in names)


def test_lost_0_ghosts_0_and_in_order_with_two_relays_and_servers_killed(tmp_path, services):
    name = slot_name()
    with StatusPlace() as place, status_relay(tmp_path / "a", place, slot=name) as first, \
            status_relay(tmp_path / "b", place, slot=name) as second:
        with StressWriters(place.database,
                           lambda number, stop: Inserter(place, number, stop)) as writers:
            for number in range(KILLS):
                for kill in (lambda: restart(first if number % 2 else second),
                             lambda: (services.kill("postgres"), services.start("postgres"))):
                    time.sleep(SECONDS / (2 * KILLS + 1))
                    kill()
            time.sleep(SECONDS / (2 * KILLS + 1))
        judge(place, writers)


def restart(relay):
    relay.kill()
    relay.start()


def judge(place, writers):
    transactions = writers.transactions()
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
