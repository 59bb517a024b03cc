"""The mission's literal table, and a relay that polls it by status."""

import json
import uuid
from contextlib import closing, contextmanager

from one_place import relay_of
from support.database import Database
from support.topic import create_topic, delete_topic, unique_name
from postbox import Postbox

TABLE = """
create table outbox (
  id uuid primary key, aggregate_type text, aggregate_id text, payload jsonb,
  status text not null default 'READY' check (status in ('READY', 'SENT', 'FAIL')),
  created_at timestamptz not null default clock_timestamp()
  {more});
create index on outbox ({order}, id) where status = 'READY'"""
ORDER = ", seq bigint generated always as identity, cause text"
COLUMNS = 'status = "status", order = "seq", cause = "cause"'


class Counter:
    """A service that writes into the table."""

    def __init__(self, database):
        self.database = database
        self._connection = database.connect()

    def close(self):
        self._connection.close()

    def insert(self, key="1", payload=None, cursor=None, aggregate_type="order"):
        event_id = str(uuid.uuid4())
        (cursor or self._connection.cursor()).execute(
            "insert into public.outbox (id, aggregate_type, aggregate_id, payload)"
            " values (%s, %s, %s, %s)", [event_id, aggregate_type, key, json.dumps(payload or {})])
        return event_id

    @contextmanager
    def transaction(self):
        with closing(self.database.connect(autocommit=False)) as connection:
            with connection, connection.cursor() as cursor:
                yield cursor

    def statuses(self):
        return dict(self.database.execute(
            "select status, count(*) from public.outbox group by status"))

    def status(self, event_id):
        return self.database.value("select status from public.outbox where id = %s", [event_id])


class StatusPlace:
    """A database with the table and no schema of ours, a topic, and what arrived there."""

    def __init__(self, more=ORDER, order="seq", partitions=3):
        self._table = TABLE.format(more=more, order=order)
        self._partitions = partitions

    def __enter__(self):
        self.database = Database(with_schema=False).__enter__()
        self.database.execute(self._table)
        self.topic = create_topic(unique_name("status"), partitions=self._partitions)
        self.arriving = Postbox(self.topic)
        self.counter = Counter(self.database)
        return self

    def __exit__(self, *failure):
        self.counter.close()
        self.arriving.close()
        delete_topic(self.topic)
        self.database.__exit__(*failure)


def status_relay(folder, place, columns=COLUMNS, table="public.outbox", more="", **config):
    return relay_of(folder, place.database, place.topic, mode="poll",
                    source_more=f'table = "{table}"\ncolumns = {{ {columns} }}\n{more}', **config)
