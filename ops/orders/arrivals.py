"""Reads the topic with confluent-kafka, a client that is not ours, in a thread of its own."""

import threading
import time

from support.topic import TopicReader


class Arrivals:
    """`records` grows in each partition's order; `on_record(record, monotonic seconds)` may follow
    along, called in the reader's thread."""

    def __init__(self, topic, bootstrap, on_record=None):
        self.records = []
        self.different = set()  # event ids seen so far
        self.problem = None
        self._on_record = on_record
        self._reader = TopicReader(topic, bootstrap, **{"fetch.wait.max.ms": 1})
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def finish(self):
        """Reads what is left to the topic's present end, then stops."""
        self._stop()
        if self.problem is None:
            for record in self._reader.read_to_end():
                self._take(record, time.monotonic())
        self._reader.close()

    def abandon(self):
        self._stop()
        self._reader.close()

    def _stop(self):
        self._end.set()
        self._thread.join()

    def _read(self):
        try:
            while not self._end.is_set():
                for record in self._reader.poll(patience_s=0.05, most=self._most()):
                    self._take(record, time.monotonic())
        except Exception as error:  # told by the main thread
            self.problem = error

    def _most(self):
        # A batch is handed over only when it is full or the patience is over: whoever watches the
        # latency wants each record at once.
        return 1 if self._on_record else 1000

    def _take(self, record, now_s):
        self.records.append(record)
        self.different.add(record.event_id)
        if self._on_record:
            self._on_record(record, now_s)
