"""Latency and size of the table after many rows passed through it, with retention on.

Partitions are made as wide as a twenty-fourth of the rows, so that as many of them come and go as
with partitions of ten million in the life of a large outbox.
"""

from support.partitions import narrow
from support.waiting import wait_until

from . import backlog, drain, probe
from .our_relay import OurRelay
from .report import Figure, ratio
from .tell import tell

_STEPS = 24
_AGE = "5s"
_RATE = 500
_PATIENCE_S = 600


def measure(stage, settings):
    if not settings.with_relay:
        return []
    return [figure for mode in ("wal", "poll") for figure in _measure(mode, stage, settings)]


def _measure(mode, stage, settings):
    width = max(1000, settings.rows // _STEPS)
    sizes = []
    with stage.database() as database, \
            drain.topic(stage, "bench.retention", settings.partitions) as topic:
        # The probe's own events come on top, twice.
        probed = 2 * _RATE * (settings.warmup_seconds + settings.seconds)
        narrow(database, width, _STEPS + probed // width + 3)
        relay = OurRelay(stage, database, topic, f"retention_{mode}", mode,
                         source_more=f'retention = "{_AGE}"')
        with relay.running():
            start = probe.commits(stage, database, topic, _RATE, settings)
            for step in range(1, _STEPS + 1):
                backlog.append(database, settings, settings.rows // _STEPS)
                _await_delivered(database)
                sizes.append(_size_mb(database))
                if step % 6 == 0:
                    tell(f"retention, {mode}: {step} of {_STEPS} steps, {sizes[-1]:,.0f} MB")
            _await_emptied(database, width)
            end = probe.commits(stage, database, topic, _RATE, settings)
            rss_mb = relay.peak_mb()
        left_mb = _size_mb(database)
    return [_figure(mode, quantile, start, end, sizes, left_mb, rss_mb)
            for quantile in ("p50", "p99")]


def _await_delivered(database):
    wait_until(lambda: database.value(
        "select (select delivered_seq from outbox.progress) >= last_value from outbox.event_seq"),
        "all is delivered", _PATIENCE_S, pause_s=0.2)


def _await_emptied(database, width):
    """Every full partition is empty."""
    wait_until(lambda: database.value(
        "select removed_below + %s > last_value from outbox.retention, outbox.event_seq", [width]),
        "old partitions are empty", _PATIENCE_S, pause_s=0.2)


def _size_mb(database):
    return float(database.value("select sum(pg_total_relation_size(partition))"
                                " from outbox.partition")) / 2**20


def _figure(mode, quantile, start, end, sizes, left_mb, rss_mb):
    ours = end[f"{quantile}_ms"]
    before = start[f"{quantile}_ms"]
    third = len(sizes) // 3
    growth = ratio(max(sizes[-third:]), max(sizes[:third]))
    return Figure(
        f"retention {mode} {quantile}", "ms", ours, before, None, ratio(before, ours), None, rss_mb,
        goals={"x latency at the start": (ratio(ours, before), "<=", 1.2),
               "x size at the start": (growth, "<=", 1.2)},
        details={"MB after each step": sizes, "MB at the end": left_mb})
