"""A committed backlog drained to Kafka, beside the decoder alone, pg_recvlogical and Debezium.

Every slot is made before the backlog, so that all of them decode the same WAL. Each round measures
all of them, one after the other; the figures are medians over the rounds.
"""

import statistics
from contextlib import ExitStack

from . import backlog, ceiling, debezium, drain
from .bare import Bare
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
        peek_slot = f"{database.name}_peek"
        _make_slot(database, peek_slot)
        rounds = [_prepare(stage, database, settings, number, exits)
                  for number in range(settings.warmup_rounds + settings.rounds)]
        end_lsn = backlog.write(database, settings)
        results = {}
        for number, (recv_slot, contenders) in enumerate(rounds, 1 - settings.warmup_rounds):
            if number == 1:
                results.clear()
            add(results, "decode", ceiling.decode_rate(database, peek_slot, _PUBLICATION,
                                                        settings.rows))
            add(results, "recvlogical", ceiling.recvlogical_rate(
                database, recv_slot, _PUBLICATION, settings.rows, end_lsn))
            measure_all(contenders, results, stage, settings)
            tell(f"wal-drain, round {number} of {settings.rounds}: "
                 + ", ".join(f"{name} {values[-1]:,.0f}" for name, values in results.items()))
    return [_figure(results)]


def _prepare(stage, database, settings, number, exits):
    """The slots of one round and those who will read them."""
    recv_slot = f"{database.name}_recv_{number}"
    _make_slot(database, recv_slot)
    contenders = []
    if settings.with_relay:
        topic = exits.enter_context(drain.topic(stage, "bench.relay", settings.partitions))
        contenders.append(Contender(OurRelay(stage, database, topic, number), topic))
        topic = exits.enter_context(drain.topic(stage, "bench.bare", settings.partitions))
        contenders.append(Contender(Bare(stage, database, topic, number, _PUBLICATION), topic))
    if settings.with_debezium:
        topic = exits.enter_context(drain.topic(stage, "bench.debezium", settings.partitions))
        contenders.append(Contender(debezium.Debezium(stage, database, topic, number, _PUBLICATION,
                                                      "drain"), topic))
    for contender in contenders:
        contender.relay.prepare()
    return recv_slot, contenders


def _make_slot(database, name):
    database.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", [name])


def _figure(results):
    median = {name: statistics.median(values) for name, values in results.items()}
    ours = median.get("relay")
    of_ceiling = ratio(ours, median["decode"])
    of_peer = ratio(ours, median.get("debezium"))
    of_recvlogical = ratio(ours, median["recvlogical"])
    # The worst round counts for memory: it is a bound.
    rss_mb = max(results["relay MB"]) if ours else None
    return Figure(
        "wal-drain", "events/s", ours, median["decode"], median.get("debezium"), of_ceiling,
        of_peer, rss_mb, median.get("relay CPU s"),
        goals={} if ours is None else {
            "x server-side decode": (of_ceiling, ">=", 0.6),
            "x pg_recvlogical": (of_recvlogical, ">=", 2),
            "x Debezium": (of_peer, ">=", 3.5),
            "resident MB": (rss_mb, "<=", 48),
            "CPU s a million": (median["relay CPU s"], "<=", 2.5)},
        details={"pg_recvlogical": median["recvlogical"], "x pg_recvlogical": of_recvlogical,
                 "x bare loop": ratio(ours, median.get("bare loop")),
                 **{f"rounds, {name}": values for name, values in results.items()}})
