"""An outbox table of Debezium's shape, as its documentation makes it, and rows in it."""

import uuid
from contextlib import closing

from psycopg2 import sql
from service.port import free_port
from support.relay import Relay
from support.topic import create_topic, delete_topic, unique_name

import config_text
from postbox import Postbox, Postboxes

TABLE = "outboxevent"
COLUMNS = ('columns = { aggregate_type = "aggregatetype", aggregate_id = "aggregateid",'
           ' event_type = "type" }')


class DebeziumOutbox:
    """`with DebeziumOutbox(database, payload="bytea") as outbox:` makes the table and a topic.

    `more`: further columns, as SQL."""

    def __init__(self, database, payload="jsonb", more="", key="varchar(255)"):
        self.database = database
        self._payload = payload
        self._more = f", {more}" if more else ""
        self._key = key

    def __enter__(self):
        self.database.execute(f"drop table if exists {TABLE}")
        self.database.execute(
            f"create table {TABLE} (id uuid primary key, aggregatetype varchar(255) not null,"
            f" aggregateid {self._key}, type varchar(255) not null, payload {self._payload}"
            f"{self._more})")
        self.aggregate_type = unique_name("dbz").replace(".", "_")
        self.topic = create_topic(f"outbox.event.{self.aggregate_type}", partitions=3)
        self._postbox = Postbox(self.topic)
        return self

    def __exit__(self, *_):
        self._postbox.close()
        delete_topic(self.topic)
        self.database.execute(f"drop table {TABLE}")

    def relay(self, folder, route="", url=None, source_more="",
              topic='topic = "outbox.event.${aggregate_type}"', **config):
        """Its route sends every event to `topic`; `route` adds keys to it."""
        port = free_port()
        name = unique_name("dbz").replace(".", "_")
        text = config_text.whole(
            port, name, [f"\n[[pipeline.route]]\n{topic}\n{route}\n"], name=name,
            source_more=f'table = "public.{TABLE}"\n{COLUMNS}\n{source_more}', **config)
        return Relay(folder, url or self.database.url, slot=name, pipeline=name, config=text,
                     admin_port=port)

    def insert(self, payload, key="4711", event_type="OrderPlaced", then_delete=False, **more):
        """The new row's id. `then_delete`: in the same transaction."""
        event_id = str(uuid.uuid4())
        row = {"id": event_id, "aggregatetype": self.aggregate_type, "aggregateid": key,
               "type": event_type, "payload": payload, **more}
        with closing(self.database.connect(autocommit=False)) as connection:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql.SQL("insert into {} ({}) values ({})").format(
                    sql.Identifier(TABLE), sql.SQL(", ").join(map(sql.Identifier, row)),
                    sql.SQL(", ").join(sql.Placeholder() * len(row))), list(row.values()))
                if then_delete:
                    cursor.execute(f"delete from {TABLE} where id = %s", [event_id])
        return event_id

    def dead_letter(self, event_id):
        with Postboxes() as boxes:
            return boxes[f"{self.topic}.dead-letter"].await_ids([event_id])[0]

    def arrival(self, event_id):
        return self._postbox.await_ids([event_id])[0]
