"""Writes events through `outbox.publish` and remembers what was committed, for the verdict."""

import random
from dataclasses import dataclass

import psycopg2
from psycopg2.extras import Json


@dataclass(frozen=True)
class Expected:
    id: str
    key: bytes
    value: bytes


class Publisher:
    """One connection, one thread. Order per key holds while no other publisher uses its keys.

    A commit whose answer was lost with the connection is *in doubt*: its events are kept apart in
    `in_doubt` until `settle_doubt` asked the database which of them exist.
    """

    def __init__(self, database, aggregate_type="order", keys=100, prefix="key", seed=1):
        self.committed = []
        self.rolled_back = []
        self.in_doubt = []
        self._database = database
        self._aggregate_type = aggregate_type
        self._keys = [f"{prefix}-{number}" for number in range(keys)]
        self._random = random.Random(seed)
        self._connection = None
        self._written = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def publish(self, events=1, rollback=False, size=64):
        """One transaction of `events` events on keys drawn at random."""
        written = []
        try:
            with self._cursor() as cursor:
                for _ in range(events):
                    written.append(self._insert(cursor, size))
        except psycopg2.Error:
            self.close()  # nothing of it was committed
            raise
        if rollback:
            self._connection.rollback()
            self.rolled_back += written
            return written
        self._commit(written)
        return written

    def settle_doubt(self):
        """Asks which of the events in doubt are there. Call it when the server is back, before the
        next `publish`."""
        doubtful, self.in_doubt = self.in_doubt, []
        if not doubtful:
            return
        rows = self._database.execute(
            "select id::text from outbox.event where id = any(%s::uuid[])",
            [[event.id for event in doubtful]])
        present = {event_id for event_id, in rows}
        self.committed += [event for event in doubtful if event.id in present]
        self.rolled_back += [event for event in doubtful if event.id not in present]

    def _cursor(self):
        if self._connection is None:
            self._connection = self._database.connect(autocommit=False)
        return self._connection.cursor()

    def _commit(self, written):
        try:
            self._connection.commit()
        except psycopg2.Error:
            self.in_doubt += written
            self.close()
            raise
        self.committed += written

    def _insert(self, cursor, size):
        key = self._random.choice(self._keys)
        self._written += 1
        payload = Json({"number": self._written, "key": key, "filler": "x" * size})
        cursor.execute(
            "select outbox.publish(%s, %s, 'changed', %s::jsonb)::text, (%s::jsonb)::text",
            [self._aggregate_type, key, payload, payload])
        event_id, value = cursor.fetchone()
        return Expected(event_id, key.encode(), value.encode())
