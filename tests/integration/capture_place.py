"""A database with business tables, a relay that captures them, and what arrived of it."""

import json
import time
from contextlib import ExitStack

from one_place import relay_of, slot_name
from postbox import Postbox
from support.database import Database
from support.topic import create_topic, delete_topic, unique_name


def capture(table, key='"id"', **more):
    """One [[source.shop.capture]]; `more` as TOML, with `erase` for delete."""
    lines = [f"{name.replace('erase', 'delete')} = {value}" for name, value in more.items()]
    return "\n".join(["[[source.shop.capture]]", f'table = "{table}"', f"key = {key}", *lines, ""])


ALL = {"insert": '"made"', "update": '"changed"', "erase": '"gone"'}


class CapturePlace:
    """`with CapturePlace(folder, tables, captures) as place:`; nothing runs until start()."""

    def __init__(self, folder, tables, captures, server_url=None):
        self._folder = folder
        self._tables = tables
        self._captures = captures
        self._server_url = server_url
        self._exits = ExitStack()

    def __enter__(self):
        with ExitStack() as exits:
            self.database = exits.enter_context(Database(server_url=self._server_url))
            for statement in ["create schema shop", *self._tables]:
                self.database.execute(statement)
            self.topic = create_topic(unique_name("capture"), partitions=3)
            exits.callback(delete_topic, self.topic)
            self.arriving = Postbox(self.topic)
            exits.callback(self.arriving.close)
            self.slot = slot_name()
            self.relay = self.relay_with(self._captures)
            exits.callback(self._end)
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *failure):
        return self._exits.__exit__(*failure)

    def relay_with(self, captures, more="", **config):
        """A relay of the same pipeline with other captures."""
        return relay_of(self._folder, self.database, self.topic, slot=self.slot,
                        source_more=more + "\n" + "\n".join(captures), **config)

    def start(self):
        self.relay.start()
        self.relay.wait_ready()
        return self

    def run(self, *statements):
        """In one transaction."""
        with self.database.connect(autocommit=False) as connection:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        connection.close()

    def of_key(self, key, count, patience_s=30.0):
        """The first `count` different events of a key, in the order of their arrival."""
        deadline = time.monotonic() + patience_s
        while True:
            found = {record.event_id: record for record in reversed(self.arriving.records)
                     if record.key == key.encode()}
            if len(found) >= count:
                break
            assert time.monotonic() < deadline, (
                f"{len(found)} of {count} events of {key} arrived within {patience_s:g} s:\n"
                f"{self.relay.log_tail()}")
            self.arriving.look()
        return sorted(found.values(), key=lambda record: record.offset)

    def _end(self):
        if self.relay.running():
            self.relay.kill()


def told(record):
    """What the record's value says."""
    return json.loads(record.value)
