"""A committed backlog polled out of the table, beside COPY of the same rows and Debezium.

Nobody updates a row, so every round reads the same table.
"""

import statistics
from contextlib import ExitStack

from . import backlog, ceiling, debezium, drain
from .contender import Contender, add, measure_all
from .our_relay import OurRelay
from .report import Figure, ratio
from .tell import tell

_PUBLICATION = "bench_ceiling"


def measure(stage, settings):
    if settings.with_debezium:
        debezium.fetch()
    with stage.database() as database, ExitStack() as exits:
        database.execute("select outbox.create_publication(%s)", [_PUBLICATION])
        rounds = [_prepare(stage, database, settings, number, exits)
                  for number in range(settings.warmup_rounds + settings.rounds)]
        backlog.write(database, settings)
        results = {}
        for number, contenders in enumerate(rounds, 1 - settings.warmup_rounds):
            if number == 1:
                results.clear()
            add(results, "copy", ceiling.copy_rate(database, settings.rows))
            measure_all(contenders, results, stage, settings)
            tell(f"poll-drain, round {number} of {settings.rounds}: "
                 + ", ".join(f"{name} {values[-1]:,.0f}" for name, values in results.items()))
    return [_figure(results)]


def _prepare(stage, database, settings, number, exits):
    """Those who will read in one round. Debezium's slot is older than the rows."""
    contenders = []
    if settings.with_relay:
        topic = exits.enter_context(drain.topic(stage, "bench.poll", settings.partitions))
        contenders.append(Contender(OurRelay(stage, database, topic, f"poll_{number}", "poll"),
                                    topic))
    if settings.with_debezium:
        topic = exits.enter_context(drain.topic(stage, "bench.debezium", settings.partitions))
        contenders.append(Contender(debezium.Debezium(
            stage, database, topic, f"poll_{number}", _PUBLICATION, "drain"), topic))
    for contender in contenders:
        contender.relay.prepare()
    return contenders


def _figure(results):
    median = {name: statistics.median(values) for name, values in results.items()}
    ours = median.get("relay")
    of_peer = ratio(ours, median.get("debezium"))
    rss_mb = max(results["relay MB"]) if ours else None
    return Figure(
        "poll-drain", "events/s", ours, median["copy"], median.get("debezium"),
        ratio(ours, median["copy"]), of_peer, rss_mb, median.get("relay CPU s"),
        goals={} if ours is None else {
            "events/s": (ours, ">=", 200_000), "x Debezium": (of_peer, ">=", 3),
            "resident MB": (rss_mb, "<=", 48)},
        details={f"rounds, {name}": values for name, values in results.items()})
