"""Those whom the relay and its upkeep must not keep waiting, and those who keep them waiting."""

import os
import subprocess
import threading
import time
from contextlib import closing, contextmanager

import psycopg2

from .database import connect
from .waiting import wait_until


class Inserts:
    """Publishes all the time with a lock_timeout of 100 ms: an insert that waits longer fails.
    `open_cursor()` gives a context with a cursor of its own for each writer."""

    def __init__(self, open_cursor, writers=3):
        self.failed = []
        self.count = 0
        self.slowest_s = 0.0
        self._open_cursor = open_cursor
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._insert) for _ in range(writers)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def await_more(self, count, patience_s=60):
        target = self.count + count
        wait_until(lambda: self.count >= target or self.failed, "events are inserted", patience_s)

    def _insert(self):
        with self._open_cursor() as cursor:
            cursor.execute("set lock_timeout = '100ms'")
            while not self._stopping.is_set():
                begin = time.monotonic()
                try:
                    cursor.execute("select outbox.publish('order', '1', 'E', '{}')")
                except psycopg2.Error as error:
                    self.failed.append(str(error))
                    return
                self.count += 1
                self.slowest_s = max(self.slowest_s, time.monotonic() - begin)


@contextmanager
def open_writer(opened):
    """A transaction that has written an event and stays open. `opened`: a context with a cursor
    that does not commit by itself."""
    with opened as cursor:
        cursor.execute("select outbox.publish('order', 'open', 'E', '{}')")
        yield
        cursor.connection.rollback()


@contextmanager
def stranger(database):
    """A write transaction in another database of the server, which has nothing to do with the
    outbox; its pid."""
    with closing(connect(database.server_url, autocommit=False)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("set application_name = 'a stranger'")
            cursor.execute("select pg_current_xact_id()")
        yield connection.info.backend_pid


@contextmanager
def dump_under_way(database):
    """A real pg_dump that has its locks on every table of the outbox, and waits for one more."""
    database.execute("create table public.locked_last ()")
    with closing(database.connect(autocommit=False)) as holder:
        holder.cursor().execute("lock table public.locked_last")
        dump = subprocess.Popen(["pg_dump", "-f", os.devnull, database.url])
        try:
            wait_until(lambda: database.value(
                "select count(*) from pg_locks l join pg_stat_activity a using (pid)"
                " where a.application_name = 'pg_dump' and a.datname = current_database()"
                " and l.relation = 'outbox.event'::regclass and l.granted") > 0
                and database.value("select count(*) from pg_locks where not granted and relation ="
                                   " 'public.locked_last'::regclass") > 0,
                "pg_dump holds its locks")
            yield
            assert dump.poll() is None
        finally:
            holder.rollback()
            assert dump.wait(60) == 0
