"""A writer that commits events all the time, and what must hold of their arrival."""

import threading
import time

_KEYS = 20


class SteadyLoad:
    """`with SteadyLoad(shop) as load:` publishes until the block ends, some of it in transactions
    that take back a part by a savepoint. `ids`: what was committed, in order."""

    def __init__(self, shop, pause_s=0.002):
        self.ids = []
        self.taken_back = []
        self._shop = shop
        self._pause_s = pause_s
        self._stop = threading.Event()
        self._failure = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._stop.set()
        self._thread.join()
        assert self._failure is None, self._failure

    def _run(self):
        try:
            while not self._stop.is_set():
                self._one(len(self.ids))
                time.sleep(self._pause_s)
        except Exception as failure:  # told by stop()
            self._failure = failure

    def _one(self, number):
        key = str(number % _KEYS)
        if number % 10:
            self.ids.append(self._shop.publish(key=key))
            return
        with self._shop.transaction() as cursor:
            first = self._shop.publish(key=key, cursor=cursor)
            cursor.execute("savepoint s")
            taken_back = self._shop.publish(key=key, cursor=cursor)
            cursor.execute("rollback to savepoint s")
        self.ids.append(first)
        self.taken_back.append(taken_back)

    def verify(self, arriving, patience_s=60):
        """Nothing lost, no ghost, each key in order at its first arrival. The ids that came more
        than once."""
        arriving.await_ids(self.ids, patience_s)
        assert not [one for one in self.taken_back if arriving.arrivals(one)]
        for key in range(_KEYS):
            firsts = [min(record.offset for record in arriving.arrivals(one))
                      for one in self.ids[key::_KEYS]]
            assert firsts == sorted(firsts), f"key {key} came out of order"
        return [one for one in self.ids if len(arriving.arrivals(one)) > 1]
