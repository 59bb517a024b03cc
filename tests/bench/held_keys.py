"""What the healthy keys keep of their rate while one of a hundred is held, or parked.

Three pipelines drain the same backlog in turn, each out of a slot of its own that is older than
the rows: one whose keys are all well (the ceiling), and two where a hundredth of the keys is
blocked by a record that is too large for their topic. Those stay blocked over all rounds.
"""

import statistics
import time

from support.topic import configure_topic
from support.waiting import wait_until

from . import backlog, drain
from .contender import add
from .our_relay import OurRelay
from .report import Figure, ratio
from .tell import tell

_LIMIT = 2_000
_SHARE = 100  # one key of so many
_HOLD = "hold = { first_ms = 1000, most_ms = 10000, attempts_max = 1000000 }"


class Lanes:
    """A pipeline with a topic, some of whose keys are blocked."""

    def __init__(self, stage, database, topic, on_failure):
        self.topic = topic
        self.on_failure = on_failure
        self.pipeline = f"bench-{on_failure or 'well'}"
        self.relay = OurRelay(stage, database, topic, on_failure or "well",
                              on_failure=on_failure or "dead-letter",
                              route_more=_HOLD if on_failure == "hold" else "")
        self._database = database
        if on_failure:
            configure_topic(topic, bootstrap=stage.bootstrap, max_message_bytes=_LIMIT,
                            message_timestamp_type="LogAppendTime")

    def block(self, settings):
        """Takes what blocks keys; a topic without the limit takes it as it is."""
        with self.relay.running():
            self.await_settled()
        wanted = settings.keys // _SHARE if self.on_failure else 0
        if self.blocked() != wanted:
            raise RuntimeError(f"{self.pipeline}: {self.blocked()} keys are blocked, not {wanted}")

    def await_settled(self):
        wait_until(lambda: self._database.value(
            "select delivered_seq >= (select max(seq) from outbox.event) from outbox.progress"
            " where pipeline = %s", [self.pipeline]), "all events are settled", 60)

    def blocked(self):
        return self._database.value("select count(*) from outbox.lane where pipeline = %s",
                                    [self.pipeline])


def measure(stage, settings):
    with stage.database() as database, \
            drain.topic(stage, "bench.well", settings.partitions) as well, \
            drain.topic(stage, "bench.hold", settings.partitions) as hold, \
            drain.topic(stage, "bench.park", settings.partitions) as park:
        lanes = [Lanes(stage, database, well, None), Lanes(stage, database, hold, "hold"),
                 Lanes(stage, database, park, "park")]
        for one in lanes:
            one.relay.prepare()
        database.execute(
            "insert into outbox.event (aggregate_type, aggregate_id, event_type, payload_bytes)"
            " select 'order', 'customer-' || n * %s, 'OrderPlaced',"
            " convert_to(repeat('x', %s), 'UTF8') from generate_series(0, %s) n",
            [_SHARE, _LIMIT * 2, settings.keys // _SHARE - 1])
        for one in lanes:
            one.block(settings)
        began = time.monotonic()
        results = {}
        for number in range(1 - settings.warmup_rounds, settings.rounds + 1):
            if number == 1:
                results.clear()
            backlog.append(database, settings, settings.rows)
            for one in lanes:
                _drain(stage, one, settings, results)
            tell(f"held-keys, round {number} of {settings.rounds}: "
                 + ", ".join(f"{name} {values[-1]:,.0f}" for name, values in results.items()))
        minutes = (time.monotonic() - began) / 60
        for one in lanes[1:]:
            if one.blocked() < settings.keys // _SHARE:
                raise RuntimeError(f"{one.pipeline}: {one.blocked()} keys are blocked at the end")
    return [_figure(kind, results, minutes) for kind in ("hold", "park")]


def _drain(stage, one, settings, results):
    """The healthy keys' events, until the slot is past all of them."""
    name = one.on_failure or "well"
    healthy = settings.rows - (settings.rows // _SHARE if one.on_failure else 0)
    with drain.Drain(stage, one.topic, settings.partitions) as watch:
        with one.relay.running() as pid:
            watch.wait(healthy, pid)
            add(results, name, watch.rate(healthy))
            one.await_settled()
            add(results, f"{name} MB", one.relay.peak_mb())


def _figure(kind, results, minutes):
    median = {name: statistics.median(values) for name, values in results.items()}
    kept = ratio(median[kind], median["well"])
    rss_mb = max(results[f"{kind} MB"])
    return Figure(
        f"held-keys {kind}", "events/s", median[kind], median["well"], None, kept, None, rss_mb,
        goals={"x all keys well": (kept, ">=", 0.9), "resident MB": (rss_mb, "<=", 48)},
        details={"minutes blocked": minutes,
                 **{f"rounds, {name}": values for name, values in results.items()}})
