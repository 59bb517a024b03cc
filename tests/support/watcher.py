"""Reads a topic all the time, on a thread of its own, and hands what comes to the arrivals."""

import threading
import time

from .topic import TopicReader
from .waiting import wait_until


class Watcher:
    def __init__(self, topic, arrivals, bootstrap=None):
        self.arrivals = arrivals
        self._topic = topic
        self._bootstrap = bootstrap
        self._stopping = threading.Event()
        self._problem = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join()

    def check(self):
        if self._problem is not None:
            raise AssertionError("the reader of the topic failed") from self._problem

    def wait_all(self, ledger, patience_s=60.0):
        """True once as many events arrived as were committed; False when nothing new came for
        `patience_s`. What it means is for the judge to say."""
        newest = -1
        since = time.monotonic()
        while self.arrivals.missing(ledger) > 0:
            self.check()
            if self.arrivals.delivered != newest:
                newest, since = self.arrivals.delivered, time.monotonic()
            if time.monotonic() - since > patience_s:
                return False
            time.sleep(0.02)
        return True

    def wait_new(self, since_ms, patience_s=30.0):
        """Milliseconds from `since_ms` (wall clock) to the first new event that the broker appended
        then or later."""
        self.arrivals.await_new(since_ms)
        first = wait_until(lambda: self.check() or self.arrivals.first_new_ms,
                           "a new event arrives", patience_s)
        return first - since_ms

    def _run(self):
        try:
            with TopicReader(self._topic, self._bootstrap) as reader:
                while not self._stopping.is_set():
                    self.arrivals.add(reader.poll(0.02))
        except Exception as error:  # told by check()
            self._problem = error
