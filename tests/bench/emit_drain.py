"""A backlog of events without rows drained from the WAL, beside the decoder alone.

Debezium's Outbox Event Router takes rows only, so no peer stands here.
"""

import statistics
from contextlib import ExitStack

from . import backlog, ceiling, drain
from .contender import Contender, add, measure_all
from .our_relay import OurRelay
from .report import Figure, ratio
from .tell import tell

_PUBLICATION = "bench_ceiling"


def measure(stage, settings):
    if not settings.with_relay:
        return []
    results = {}
    with stage.database() as database, ExitStack() as exits:
        database.execute("select outbox.create_publication(%s)", [_PUBLICATION])
        peek_slot = f"{database.name}_peek"
        database.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", [peek_slot])
        rounds = [_prepare(stage, database, settings, number, exits)
                  for number in range(settings.warmup_rounds + settings.rounds)]
        backlog.emit(database, settings)
        for number, contender in enumerate(rounds, 1 - settings.warmup_rounds):
            if number == 1:
                results.clear()
            add(results, "decode", ceiling.decode_rate(database, peek_slot, _PUBLICATION,
                                                        settings.rows, messages=True))
            measure_all([contender], results, stage, settings)
            tell(f"emit-drain, round {number} of {settings.rounds}: "
                 + ", ".join(f"{name} {values[-1]:,.0f}" for name, values in results.items()))
    return [_figure(results)]


def _prepare(stage, database, settings, number, exits):
    """The relay of one round; its slot is older than the events."""
    topic = exits.enter_context(drain.topic(stage, "bench.emit", settings.partitions))
    contender = Contender(OurRelay(stage, database, topic, f"emit_{number}"), topic)
    contender.relay.prepare()
    return contender


def _figure(results):
    median = {name: statistics.median(values) for name, values in results.items()}
    of_ceiling = ratio(median["relay"], median["decode"])
    rss_mb = max(results["relay MB"])
    return Figure(
        "emit-drain", "events/s", median["relay"], median["decode"], None, of_ceiling, None, rss_mb,
        median["relay CPU s"],
        goals={"resident MB": (rss_mb, "<=", 48)},
        details={f"rounds, {name}": values for name, values in results.items()})
