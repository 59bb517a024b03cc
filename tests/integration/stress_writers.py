"""Writers of what makes relays lose rows: thousands of overlapping transactions on shared keys that
roll back, roll back to savepoints, prepare, dawdle and commit asynchronously, while servers are
killed under them."""

import os
import random
import threading
import time
from contextlib import closing

import psycopg2

from support.topic import unique_name

WRITERS = 8
KEYS = 40
SECONDS = float(os.environ.get("OUTBOX_POLL_STRESS_SECONDS", "20"))
KILLS = int(os.environ.get("OUTBOX_POLL_STRESS_KILLS", "2"))


class StressWriter(threading.Thread):
    """Transactions of one connection after the other, until told to stop. A subclass says what is
    written."""

    def __init__(self, database, number, stop):
        super().__init__(daemon=True)
        self._database = database
        self._draw = random.Random(number)
        self._stop_it = stop
        self.transactions = 0
        self.failure = None

    def write(self, cursor, key):
        """Writes one event and returns what names it."""
        raise NotImplementedError

    def committed(self, names):
        """What these names stand for is committed, and known to be."""

    def run(self):
        while not self._stop_it.is_set():
            try:
                with closing(self._database.connect(autocommit=False)) as connection:
                    while not self._stop_it.is_set():
                        self._transaction(connection)
                        self.transactions += 1
            except psycopg2.OperationalError:
                time.sleep(0.1)  # Postgres was killed, or two writers wait for each other
            except Exception as failure:
                self.failure = failure
                return

    def _transaction(self, connection):
        draw = self._draw
        prepared = draw.random() < 0.15
        names = []
        if prepared:
            connection.tpc_begin(connection.xid(1, unique_name("stress"), "stress"))
        with connection.cursor() as cursor:
            if draw.random() < 0.3:
                cursor.execute("set local synchronous_commit = off")
            for key in self._keys():
                names.append(self.write(cursor, key))
                if draw.random() < 0.3:
                    names += self._in_savepoint(cursor, key)
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
            self.committed(names)

    def _keys(self):
        """Sorted, so that writers that lock rows seldom wait for each other."""
        return sorted(str(self._draw.randrange(KEYS)) for _ in range(self._draw.randint(1, 4)))

    def _in_savepoint(self, cursor, key):
        cursor.execute("savepoint s")
        name = self.write(cursor, key)
        undo = self._draw.random() < 0.6
        cursor.execute("rollback to savepoint s" if undo else "release savepoint s")
        return [] if undo else [name]


class StressWriters(list):
    """`with StressWriters(database, make) as writers:` has all of them at work; `make(number,
    stop)` makes one."""

    def __init__(self, database, make):
        self._database = database
        self._stop = threading.Event()
        super().__init__(make(number, self._stop) for number in range(WRITERS))

    def __enter__(self):
        for writer in self:
            writer.start()
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self._stop.set()
        for writer in self:
            writer.join(30)
            assert writer.failure is None
        self._roll_back()

    def transactions(self):
        """How many there were; too few would show nothing."""
        count = sum(writer.transactions for writer in self)
        assert count > 10 * SECONDS
        return count

    def end_orphans(self):
        """What was prepared before the server was killed, and holds its rows' locks: its writer is
        gone."""
        self._roll_back("and prepared < pg_postmaster_start_time()")

    def _roll_back(self, which=""):
        for (gid,) in self._database.execute(
                f"select gid from pg_prepared_xacts where database = %s {which}",
                [self._database.name]):
            self._database.execute(f"rollback prepared '{gid}'")
