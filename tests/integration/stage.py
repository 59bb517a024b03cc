"""A database, a relay and what it delivered, for the tests of a module to share."""

from contextlib import ExitStack

from postbox import Postboxes
from service.port import free_port
from shop import Shop
from support.database import Database
from support.relay import Relay
from support.topic import unique_name

import config_text


class Stage:
    """`with Stage(folder, routes=…) as stage:` has a running relay until the block ends.

    `own_table`: the table loses its CHECK, as a table of a team's own making has none, so that rows
    reach the relay that outbox.event would have refused.
    """

    def __init__(self, folder, routes=(), own_table=False, **config):
        self.slot = unique_name("slot").replace(".", "_")
        self.pipeline = unique_name("pipe").replace(".", "_")
        self._folder = folder
        self._own_table = own_table
        self._admin_port = free_port()
        self.config = config_text.whole(self._admin_port, self.slot, routes, name=self.pipeline,
                                        **config)
        self._exits = ExitStack()

    def __enter__(self):
        with ExitStack() as exits:
            self.database = exits.enter_context(Database())
            if self._own_table:
                self.database.execute("alter table outbox.event drop constraint event_is_valid")
            self.relay = exits.enter_context(
                Relay(self._folder, self.database.url, slot=self.slot, pipeline=self.pipeline,
                      config=self.config, admin_port=self._admin_port))
            self.shop = Shop(self.database)
            exits.callback(self.shop.close)
            self.topics = exits.enter_context(Postboxes())
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *failure):
        return self._exits.__exit__(*failure)

    def arrival(self, topic, event_id, patience_s=30.0):
        """The record of this event, once it is in the topic."""
        return self.topics[topic].await_ids([event_id], patience_s)[0]

    @property
    def dead_letters(self):
        """The topic for what no topic fits."""
        return f"{self.pipeline}.dead-letter"
