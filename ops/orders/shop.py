"""The business side: each transaction changes an order and publishes what happened, together."""

import random
import threading
import time
from dataclasses import dataclass

from psycopg2.extras import Json

from support.publisher import Expected

_NEXT_STATE = {"placed": "paid", "paid": "shipped"}
_CUSTOMERS = ["Ada", "Barbara", "Edsger", "Grace", "Ken", "Leslie", "Radia", "Tony"]


@dataclass(frozen=True)
class Written:
    """One event and what became of its transaction. `at_s` is the monotonic time at which COMMIT
    had returned."""
    event: Expected
    order: int
    what: str
    committed: bool
    at_s: float


class Shop:
    """One connection and its own orders, so that the order of commits per key is known."""

    def __init__(self, database, number, shops=1, seed=None):
        self.written = []
        self._connection = database.connect(autocommit=False)
        self._random = random.Random(seed)
        self._next_order = 1000 + number
        self._shops = shops
        self._open = {}  # order number -> state

    def close(self):
        self._connection.close()

    def transaction(self, most=3):
        """One business transaction with at most `most` events. Some are rolled back, as a whole or
        to a savepoint: what they published must never arrive."""
        fate = self._random.random()
        with self._connection.cursor() as cursor:
            kept = [self._change_order(cursor) for _ in range(self._events(most))]
            dropped = []
            if fate < 0.05:
                before = dict(self._open)
                cursor.execute("savepoint second_thoughts")
                dropped.append(self._change_order(cursor))
                cursor.execute("rollback to savepoint second_thoughts")
                self._open = before
        if 0.05 <= fate < 0.15:
            self._connection.rollback()
            kept, dropped = [], kept
            self._open = {}  # their rows may be gone: go on with new orders
        else:
            self._connection.commit()
        now = time.monotonic()
        done = [Written(*event, True, now) for event in kept]
        done += [Written(*event, False, now) for event in dropped]
        self.written += done
        return done

    def _events(self, most):
        return min(most, self._random.choice([1, 1, 1, 1, 2, 3]))

    def _change_order(self, cursor):
        if self._open and self._random.random() < 0.6:
            number, what = self._move_on(cursor)
        else:
            number, what = self._place(cursor)
        payload = Json({"order": number, "state": what})
        cursor.execute(
            "select outbox.publish('order', %s, %s, %s::jsonb)::text, (%s::jsonb)::text",
            [str(number), what, payload, payload])
        event_id, value = cursor.fetchone()
        return Expected(event_id, str(number).encode(), value.encode()), number, what

    def _place(self, cursor):
        number = self._next_order
        self._next_order += self._shops
        cursor.execute("insert into orders (number, customer, amount_cents, state)"
                       " values (%s, %s, %s, 'placed')",
                       [number, self._random.choice(_CUSTOMERS), self._random.randint(500, 50000)])
        self._open[number] = "placed"
        return number, "placed"

    def _move_on(self, cursor):
        number = self._random.choice(list(self._open))
        state = _NEXT_STATE[self._open[number]]
        cursor.execute("update orders set state = %s, changed_at = now() where number = %s",
                       [state, number])
        if state in _NEXT_STATE:
            self._open[number] = state
        else:
            del self._open[number]
        return number, state


class Writers:
    """Several shops at once, until exactly `total` events are committed."""

    def __init__(self, database, total, threads=4):
        self._shops = [Shop(database, number, threads, seed=number) for number in range(threads)]
        self._shares = [total // threads + (n < total % threads) for n in range(threads)]
        self._committed = [0] * threads
        self._threads = [threading.Thread(target=self._write, args=[n], daemon=True)
                         for n in range(threads)]
        self.problem = None

    def start(self):
        for thread in self._threads:
            thread.start()

    def join(self):
        for thread in self._threads:
            thread.join()
        for shop in self._shops:
            shop.close()

    def committed_count(self):
        return sum(self._committed)

    def written(self):
        return [written for shop in self._shops for written in shop.written]

    def _write(self, number):
        shop = self._shops[number]
        try:
            while self._committed[number] < self._shares[number] and self.problem is None:
                left = self._shares[number] - self._committed[number]
                self._committed[number] += sum(w.committed for w in shop.transaction(left))
        except Exception as error:  # told by the main thread
            self.problem = error
