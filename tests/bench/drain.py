"""When the records of a topic reached the broker, by the broker's own clock.

The topic has `message.timestamp.type=LogAppendTime`; where in time a share of the records lies is
found by asking the broker for offsets of a time, so that no record has to be read.
"""

import time
from contextlib import contextmanager

from confluent_kafka import Consumer, TopicPartition

from support.topic import create_topic, delete_topic, unique_name

from . import usage

_PATIENCE_S = 600


@contextmanager
def topic(stage, stem, partitions):
    name = create_topic(unique_name(stem), partitions=partitions, bootstrap=stage.bootstrap,
                        message_timestamp_type="LogAppendTime")
    try:
        yield name
    finally:
        delete_topic(name, bootstrap=stage.bootstrap)


class Drain:
    """Watches how a topic fills, from what it holds when the block begins."""

    def __init__(self, stage, name, partitions):
        self._consumer = Consumer({"bootstrap.servers": stage.bootstrap,
                                   "group.id": unique_name("drain"), "enable.auto.commit": False})
        self._name = name
        self._partitions = range(partitions)
        self._base = 0

    def __enter__(self):
        self._base = self.count()
        return self

    def __exit__(self, *_):
        self._consumer.close()

    def count(self):
        return sum(self._consumer.get_watermark_offsets(TopicPartition(self._name, p), 30)[1]
                   for p in self._partitions) - self._base

    def wait(self, rows, pid):
        """Until `rows` records are there; the CPU seconds that `pid` took from the first record on.
        An ended process is a failure."""
        deadline = time.monotonic() + _PATIENCE_S
        before = usage.cpu_s(pid)
        while True:
            count = self.count()
            if count == 0:
                before = usage.cpu_s(pid)
            if count >= rows:
                break
            if time.monotonic() > deadline:
                raise RuntimeError(f"{count} of {rows} records after {_PATIENCE_S} s")
            time.sleep(0.05)
        spent = usage.cpu_s(pid) - before
        time.sleep(1)
        if self.count() != rows:
            raise RuntimeError(f"{self.count()} records for {rows} rows")
        return spent

    def rate(self, rows):
        """Records a second between the first 5 % and the first 95 % of them."""
        first = self._time_of(rows * 5 // 100)
        last = self._time_of(rows * 95 // 100)
        return (self._before(last) - self._before(first)) * 1000 / (last - first)

    def _time_of(self, records):
        """The first millisecond before which at least so many records had been appended."""
        low, high = 0, int(time.time() * 1000) + 60_000
        while low < high:
            middle = (low + high) // 2
            if self._before(middle) >= records:
                high = middle
            else:
                low = middle + 1
        return low

    def _before(self, time_ms):
        """How many records were appended before this time."""
        asked = [TopicPartition(self._name, p, time_ms) for p in self._partitions]
        return sum(self._consumer.get_watermark_offsets(found, 30)[1]
                   if found.offset < 0 else found.offset
                   for found in self._consumer.offsets_for_times(asked, 30)) - self._base
