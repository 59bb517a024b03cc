"""One stage for a fault: a database under load, a relay, a topic that is watched, a verdict."""

import time
from contextlib import ExitStack

from confluent_kafka import Consumer, KafkaException, TopicPartition

from . import environment
from .arrivals import Arrivals
from .database import Database
from .ledger import Ledger
from .marks import take_mark
from .relay import Relay
from .topic import create_topic, delete_topic, unique_name
from .waiting import wait_until
from .watcher import Watcher
from .writers import Writers

_PARTITIONS = 6


class Stage:
    """`with Stage(folder) as stage:` gives everything but a started relay. The load runs from
    `go()` on; `rest()` judges. What the relay is told differently goes to `relay_options`."""

    def __init__(self, folder, seed=1, connections=4, keys=80, pause_s=0.03, replication=1,
                 bootstrap=None, server_url=None, relay_url=None, topic_settings=None,
                 **relay_options):
        self._folder = folder
        self._load = {"seed": seed, "connections": connections, "keys": keys, "pause_s": pause_s}
        self._replication = replication
        self._bootstrap = bootstrap
        self._server_url = server_url
        self._relay_url = relay_url or (lambda url: url)
        self.topic_settings = {"message_timestamp_type": "LogAppendTime", **(topic_settings or {})}
        self._relay_options = relay_options
        self._things = ExitStack()
        self.marks = []

    def __enter__(self):
        with ExitStack() as things:
            self.database = things.enter_context(Database(server_url=self._server_url))
            self.topic = create_topic(unique_name(), _PARTITIONS, self._replication,
                                      self._bootstrap, **self.topic_settings)
            things.callback(delete_topic, self.topic, self._bootstrap)
            self.ledger = Ledger()
            self.arrivals = Arrivals(self.marks)
            self._ends = _TopicEnds(self.topic, self._bootstrap)
            things.callback(self._ends.close)
            self.watcher = things.enter_context(Watcher(self.topic, self.arrivals, self._bootstrap))
            self.relay = Relay(self._folder / "relay", self._relay_url(self.database.url),
                               self.topic, bootstrap=self._bootstrap, **self._relay_options)
            things.callback(self._end_relay)
            self._things = things.pop_all()
        return self

    def __exit__(self, failure, *_):
        if failure is not None:
            print(f"--- {self.relay.log_file}\n{self.relay.log_tail(60)}")
        self._things.close()

    def go(self):
        """Starts the writers."""
        self.writers = self._things.enter_context(Writers(self.database, self.ledger, **self._load))

    def mark(self):
        """Notes what the relay has saved by now, and breaks on a slot confirmed beyond it."""
        mark = take_mark(self.database, self.relay.pipeline, self.relay.slot, self._ends)
        assert not mark.confirmed_beyond_saved(), f"confirmed before it was saved: {mark}"
        self.marks.append(mark)
        return mark

    def restart_after_kill(self, patience_s=30.0, **environ):
        """Marks, starts the relay, and returns the milliseconds from there to the first new event
        in the topic."""
        self.mark()
        since_ms = int(time.time() * 1000)
        self.relay.start(**environ)
        return self.watcher.wait_new(since_ms, patience_s)

    def rest(self, patience_s=60.0):
        """Pauses the writers, waits until everything is there, and judges."""
        self.writers.pause()
        complete = self.watcher.wait_all(self.ledger, patience_s)
        self._wait_end_of_topic()
        findings = self.arrivals.judge(self.ledger)
        assert findings.clean(), f"{findings}\n{self.relay.log_tail()}"
        assert complete, f"not everything arrived, and yet nothing is lost? {findings}"
        self._audit(findings)
        return findings

    def _audit(self, findings):
        """The judge's own books against the table: an oracle that forgot events would pass all."""
        stored = self.database.value("select count(*) from outbox.event")
        counted = self.database.value("select sum(n)::bigint from load.counter")
        assert stored == counted == findings.committed == findings.delivered

    def _wait_end_of_topic(self):
        """Repeats may still be behind the last new event."""
        ends = sum(self._ends().values())
        wait_until(lambda: self.watcher.check() or self.arrivals.records >= ends,
                   f"the reader has seen {ends} records")

    def _end_relay(self):
        if self.relay.running():
            self.relay.resume()
            self.relay.kill()


class _TopicEnds:
    """The end of each partition of a topic, when called."""

    def __init__(self, topic, bootstrap):
        self._topic = topic
        self._consumer = Consumer({
            "bootstrap.servers": bootstrap or environment.kafka_bootstrap(),
            "group.id": unique_name("ends"), "reconnect.backoff.max.ms": 200})
        self.close = self._consumer.close

    def __call__(self, patience_s=30.0):
        deadline = time.monotonic() + patience_s
        while True:
            try:
                return {p: self._end(p) for p in range(_PARTITIONS)}
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
                self._learn_leaders()

    def _learn_leaders(self):
        try:
            self._consumer.list_topics(self._topic, 5)
        except KafkaException:
            time.sleep(0.2)

    def _end(self, partition):
        return self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), 5)[1]
