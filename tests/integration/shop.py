"""Writes events into a database, by publish() or by a direct INSERT, and gives back their ids."""

import json
import uuid
from contextlib import closing, contextmanager


class Shop:
    """What a service does with the outbox; one connection, more for transactions."""

    def __init__(self, database):
        self.database = database
        self._connection = database.connect()

    def close(self):
        self._connection.close()

    @contextmanager
    def transaction(self):
        """A cursor in a transaction of a connection of its own: committed, or rolled back by an
        exception."""
        with closing(self.database.connect(autocommit=False)) as connection:
            with connection, connection.cursor() as cursor:
                yield cursor

    def publish(self, aggregate_type="order", key="1", payload="{}", event_type="changed",
                headers=None, cursor=None):
        """`payload`: bytes go into payload_bytes, text is jsonb, None is a tombstone."""
        cast = "bytea" if isinstance(payload, bytes) else "jsonb"
        return self.run(f"select outbox.publish(%s, %s, %s, %s::{cast}, %s::jsonb)::text",
                        [aggregate_type, key, event_type, payload, json.dumps(headers or {})],
                        cursor)

    def insert(self, cursor=None, **columns):
        """A direct INSERT."""
        event_id = columns.setdefault("id", str(uuid.uuid4()))
        values = {"aggregate_type": "order", "aggregate_id": "1", "event_type": "changed",
                  **columns}
        names = ", ".join(values)
        places = ", ".join(["%s"] * len(values))
        self.run(f"insert into outbox.event ({names}) values ({places})", list(values.values()),
                 cursor)
        return event_id

    def run(self, sql, arguments=None, cursor=None):
        """One statement; the first column of its first row, if it has any."""
        cursor = cursor or self._connection.cursor()
        cursor.execute(sql, arguments)
        return cursor.fetchone()[0] if cursor.description else None
