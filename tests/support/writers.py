"""A continuous load: several connections that commit and roll back on keys that they share.

The order per key is well defined: whoever writes a key holds the row lock of its counter until the
commit, and takes the key's next numbers from it (numbered.py). What was rolled back gives its
numbers back, so a ghost carries a number that another event has too.
"""

import random
import threading
import time
from contextlib import closing

import psycopg2

from .ledger import ID_BYTES
from .numbered import SQL
from .waiting import wait_until

_LOCK = "select key, n from load.counter where key = any(%s) order by key for update"
_PUBLISH = """
with taken as (update load.counter set n = n + 1 where key = %(key)s)
select uuid_send(outbox.publish('order', %(key)s, 'changed',
                                load.content(%(key)s, %(number)s)::jsonb)),
       currval('outbox.event_seq')"""
_INSERT = """
with taken as (update load.counter set n = n + %(each)s where key = any(%(keys)s)),
inserted as (
  insert into outbox.event (aggregate_type, aggregate_id, event_type, payload_bytes)
  select 'order', k.key, 'changed', convert_to(load.content(k.key, k.n + i), 'UTF8')
  from unnest(%(keys)s, %(before)s::bigint[]) as k (key, n), generate_series(1, %(each)s) i
  order by i, k.key
  returning aggregate_id, id, seq)
select aggregate_id, string_agg(uuid_send(id), ''::bytea order by seq), max(seq)
from inserted group by aggregate_id"""
_STATEMENT_EVENTS = 100_000


class Writers:
    """`with Writers(database, ledger) as writers:` writes until the block ends or `stop()`."""

    def __init__(self, database, ledger, connections=4, keys=80, seed=1, pause_s=0.008):
        self.in_doubt = 0    # commits whose answer was lost, later settled by reading
        self.rolled_back = 0
        self.transactions = 0
        self._database = database
        self._ledger = ledger
        self._keys = [f"key-{number:03}" for number in range(keys)]
        self._pause_s = pause_s
        self._stopping = threading.Event()
        self._going = threading.Event()
        self._problem = None
        self._threads = [threading.Thread(target=self._run, args=(random.Random(f"{seed}/{n}"),))
                         for n in range(connections)]
        self._busy = [False] * connections
        self._counts = threading.Lock()

    def __enter__(self):
        prepare(self._database, self._keys)
        self._going.set()
        for number, thread in enumerate(self._threads):
            thread.name = str(number)
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._going.set()
        for thread in self._threads:
            thread.join()

    def pause(self, patience_s=60.0):
        """Returns once every transaction is decided and in the ledger. Needs the server up."""
        self._going.clear()
        wait_until(lambda: self._problem or not any(self._busy), "the writers rest", patience_s)
        self.check()

    def go_on(self):
        self.check()
        self._going.set()

    def check(self):
        """Raises what ended a writer, if it was not a lost connection."""
        if self._problem is not None:
            raise AssertionError("a writer failed") from self._problem

    def write_large(self, prefix, rows, keys=50):
        """One transaction of `rows` events on keys of its own, in the calling thread: a tenth of
        it in a savepoint that is rolled back before the rest follows."""
        names = [f"{prefix}-{number:02}" for number in range(keys)]
        prepare(self._database, names)
        with closing(self._database.connect(autocommit=False)) as connection:
            transaction = Transaction(connection.cursor())
            transaction.insert(names, rows // keys // 2)
            savepoint = transaction.savepoint()
            transaction.insert(names, rows // keys // 10)
            transaction.roll_back_to(savepoint)
            transaction.insert(names, rows // keys // 2)
            self._commit(connection, transaction)

    def _run(self, draw):
        number = int(threading.current_thread().name)
        connection = None
        while not self._stopping.is_set():
            if not self._going.wait(0.05):
                continue
            self._busy[number] = True
            try:
                connection = connection or self._database.connect(autocommit=False)
                self._transaction(connection, draw)
            except psycopg2.Error as error:
                if connection is not None and not connection.closed:
                    self._problem = error
                    break
                connection = None
                time.sleep(0.05)
            except Exception as error:  # told by check()
                self._problem = error
                break
            finally:
                self._busy[number] = False
            time.sleep(draw.expovariate(1 / self._pause_s) if self._pause_s else 0)
        if connection is not None:
            connection.close()

    def _transaction(self, connection, draw):
        shape = draw.choices([_single, _several, _bulk, _with_savepoint], [40, 20, 20, 20])[0]
        with connection.cursor() as cursor:
            transaction = Transaction(cursor)
            shape(transaction, self._keys, draw)
            if draw.random() < 0.1:
                connection.rollback()
                with self._counts:
                    self.rolled_back += 1
                return
            self._commit(connection, transaction)
        with self._counts:
            self.transactions += 1

    def _commit(self, connection, transaction):
        try:
            connection.commit()
        except psycopg2.Error:
            with self._counts:
                self.in_doubt += 1
            if not transaction.happened(self._database, self._stopping):
                raise
            self._ledger.commit(transaction.runs)
            raise
        self._ledger.commit(transaction.runs)


class Transaction:
    """The events of one open transaction."""

    def __init__(self, cursor):
        self.runs = {}  # key -> (first number, ids one behind the other)
        self._cursor = cursor
        self._witness = None  # (seq, id) of one event that is not rolled back to a savepoint

    def publish(self, key):
        """One event by the function that services call."""
        before = self._take([key])[key]
        self._cursor.execute(_PUBLISH, {"key": key, "number": before + 1})
        event_id, seq = self._cursor.fetchone()
        self._note(key, before + 1, bytes(event_id), seq)

    def insert(self, keys, each):
        """`each` events on each of `keys`, by as few statements as is sensible."""
        most = max(1, _STATEMENT_EVENTS // len(keys))
        while each > 0:
            self._insert(keys, min(each, most))
            each -= most

    def savepoint(self):
        self._cursor.execute("savepoint s")
        return {key: len(ids) for key, (_, ids) in self.runs.items()}, self._witness

    def roll_back_to(self, savepoint):
        self._cursor.execute("rollback to savepoint s")
        kept, self._witness = savepoint
        for key in list(self.runs):
            if key in kept:
                del self.runs[key][1][kept[key]:]
            else:
                del self.runs[key]

    def happened(self, database, stopping):
        """Whether a commit in doubt took place: asks the table, once the server is back."""
        seq, event_id = self._witness
        while not stopping.is_set():
            try:
                return database.execute(
                    "select 1 from outbox.event where seq = %s and id = %s::uuid",
                    [seq, event_id.hex()]) != []
            except psycopg2.Error:
                time.sleep(0.05)
        raise AssertionError("stopped while a commit was in doubt")

    def _take(self, keys):
        """Locks the counters of the keys; what they stand at. Whoever takes more than once must go
        upwards, or keep to keys that it has, else two writers wait for each other."""
        self._cursor.execute(_LOCK, [keys])
        return dict(self._cursor.fetchall())

    def _insert(self, keys, each):
        before = self._take(keys)
        self._cursor.execute(_INSERT, {"keys": list(before), "before": list(before.values()),
                                       "each": each})
        for key, ids, seq in self._cursor.fetchall():
            self._note(key, before[key] + 1, bytes(ids), seq)

    def _note(self, key, first, ids, last_seq):
        self.runs.setdefault(key, (first, bytearray()))[1].extend(ids)
        self._witness = last_seq, ids[-ID_BYTES:]


def prepare(database, keys):
    """The tables behind the numbers; a key may be prepared once."""
    with closing(database.connect(autocommit=False)) as connection, connection.cursor() as cursor:
        cursor.execute("select to_regclass('load.counter') is null")
        if cursor.fetchone()[0]:
            cursor.execute(SQL)
        cursor.execute("insert into load.counter select unnest(%s), 0", [keys])
        connection.commit()


def _single(transaction, keys, draw):
    transaction.publish(draw.choice(keys))


def _several(transaction, keys, draw):
    for key in sorted(draw.sample(keys, draw.randint(2, 8))):
        transaction.publish(key)


def _bulk(transaction, keys, draw):
    count = draw.choice([10, 100, 300, 1000])
    chosen = draw.sample(keys, draw.randint(1, 20))
    transaction.insert(sorted(chosen), max(1, count // len(chosen)))


def _with_savepoint(transaction, keys, draw):
    """A part that stays, one that is rolled back, and one that stays again, partly on the same
    keys: upwards, so that no two writers wait for each other."""
    chosen = sorted(draw.sample(keys, 6))
    transaction.insert(chosen[:2], draw.randint(1, 20))
    savepoint = transaction.savepoint()
    transaction.insert(chosen[1:4], draw.randint(1, 50))
    transaction.roll_back_to(savepoint)
    transaction.insert([*chosen[:3], chosen[5]], draw.randint(1, 5))
