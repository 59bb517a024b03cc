"""`outbox dead-letters list` on many open letters: the time of the whole command, by filter.

The ceiling is the same command where there is no letter: process, connection, one empty answer.
"""

import statistics
import subprocess
import time

from support.relay import Relay

from . import letters
from .report import Figure, ratio
from .tell import tell

_PIPELINE = "listed"
_FILTERS = {
    "by cause": (),
    "cause": ("--cause", letters.CAUSES[2]),
    "type": ("--type", "OrderPlaced1"),
    "aggregate": ("--aggregate", "order"),
    "key": ("--key", "customer-77"),
    "topic": ("--topic", "invoice.events"),
    "since": ("--since", "1h"),
    "until": ("--until", "1h"),
    "no such type": ("--type", "Nothing"),
    "all": ("--all",)}
_GOAL_MS = 200


def measure(stage, settings):
    with stage.database() as database:
        relay = Relay(stage.folder / "relay-listed", database.url, "order.events",
                      pipeline=_PIPELINE, slot=f"{database.name}_listed", bootstrap=stage.bootstrap)
        empty = statistics.median(_time_ms(relay, _FILTERS["all"], 3)
                                  for _ in range(settings.rounds))
        letters.leave(database, settings, _PIPELINE, "dead",
                      ["order.events", "invoice.events", "stock.events"])
        times = {}
        for _ in range(settings.rounds):
            for name, filters in _FILTERS.items():
                times.setdefault(name, []).append(
                    _time_ms(relay, filters, 3 if name == "no such type" else 0))
    return [_figure(name, values, empty) for name, values in times.items()]


def _time_ms(relay, filters, code):
    start = time.monotonic()
    done = subprocess.run([relay._binary, "dead-letters", "list", *filters, "--config",
                           relay.config_file], env=relay.environ, capture_output=True, text=True)
    took = (time.monotonic() - start) * 1000
    if done.returncode != code:
        raise RuntimeError(f"list {filters} ended with {done.returncode}: {done.stderr}")
    return took


def _figure(name, values, empty):
    median = statistics.median(values)
    tell(f"dead-letters-list {name}: {median:.0f} ms")
    return Figure(f"dead-letters-list {name}", "ms", median, empty, None, ratio(empty, median),
                  goals={"ms": (median, "<", _GOAL_MS)}, details={"rounds": values})
