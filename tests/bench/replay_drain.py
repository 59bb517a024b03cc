"""A replay of all dead letters, and of parked ones, which go out key by key.

Nobody else replays dead letters: the figure stands beside its ceiling alone, COPY of the letters in
their order.
"""

import statistics
import subprocess
import time
from contextlib import contextmanager

from support.relay import Relay
from support.waiting import wait_until

from . import drain, letters, usage
from .contender import Contender, add, measure_all
from .report import Figure, ratio
from .tell import tell

_COPY = "select * from outbox.dead_letter where state = '{}' order by letter"


class ReplayRelay:
    """Our relay, which is asked for a replay when it runs."""

    name = "relay"

    def __init__(self, stage, database, topic, state):
        self.pipeline = f"replay-{state}"
        self._database = database
        self._relay = Relay(stage.folder / f"relay-{self.pipeline}", database.url, topic,
                            pipeline=self.pipeline, slot=f"{database.name}_{state}",
                            bootstrap=stage.bootstrap,
                            on_failure="dead-letter" if state == "dead" else "park")
        with self._relay:
            pass  # its pipeline is known then

    @contextmanager
    def starting(self):
        with self._relay:
            began = time.monotonic()
            filed = letters.replay(self._database, self.pipeline)
            tell(f"filed {filed:,} letters in {time.monotonic() - began:.1f} s")
            yield self._relay.process.pid
            wait_until(lambda: self._database.value(
                "select bool_and(state = 'done') from outbox.replay_job"), "the replay is done", 60)
        left = self._database.value("select count(*) from outbox.dead_letter"
                                    " where state <> 'delivered'")
        if left:
            raise RuntimeError(f"{left} letters are not delivered")

    def peak_mb(self):
        return usage.peak_mb(self._relay.process.pid)


def measure(stage, settings):
    return [_measure(stage, settings, state) for state in ("dead", "parked")]


def _measure(stage, settings, state):
    results = {}
    for number in range(1 - settings.warmup_rounds, settings.rounds + 1):
        if number == 1:
            results.clear()
        with stage.database() as database, \
                drain.topic(stage, "bench.replay", settings.partitions) as topic:
            relay = ReplayRelay(stage, database, topic, state)
            letters.leave(database, settings, relay.pipeline, state, [topic])
            add(results, "copy", _copy_rate(database, state, settings.rows))
            measure_all([Contender(relay, topic)], results, stage, settings)
        tell(f"replay-drain {state}, round {number} of {settings.rounds}: "
             + ", ".join(f"{name} {values[-1]:,.0f}" for name, values in results.items()))
    return _figure(state, results)


def _copy_rate(database, state, rows):
    start = time.monotonic()
    subprocess.run(["psql", "-X", "-q", "-d", database.url, "-c",
                    f"\\copy ({_COPY.format(state)}) to /dev/null (format binary)"], check=True)
    return rows / (time.monotonic() - start)


def _figure(state, results):
    median = {name: statistics.median(values) for name, values in results.items()}
    rss_mb = max(results["relay MB"])
    return Figure(
        f"replay-drain {state}", "letters/s", median["relay"], median["copy"], None,
        ratio(median["relay"], median["copy"]), None, rss_mb, median["relay CPU s"],
        goals={"letters/s": (median["relay"], ">=", 50_000), "resident MB": (rss_mb, "<=", 48)},
        details={f"rounds, {name}": values for name, values in results.items()})
