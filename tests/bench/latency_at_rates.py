"""From COMMIT returned to the record in an independent consumer, at steady rates.

The floor is what the broker and the consumer take alone: the same program writes records straight
to the topic. It stands as the ceiling.
"""

from . import debezium, drain, probe, usage
from .our_relay import OurRelay
from .report import Figure, ratio
from .tell import tell

_PUBLICATION = "bench_latency"
_GOALS_MS = {"wal": {"p50": 1.0, "p99": 5.0}, "poll": {"p99": 10.0}}


def measure_wal(stage, settings):
    return _measure("wal", stage, settings)


def measure_poll(stage, settings):
    return _measure("poll", stage, settings)


def _measure(mode, stage, settings):
    if settings.with_debezium:
        debezium.fetch()
    results = {}
    with drain.topic(stage, "bench.floor", settings.partitions) as topic:
        results["floor"] = {rate: probe.floor(stage, topic, rate, settings)
                            for rate in settings.rates}
    for name in _contenders(settings):
        results[name] = _measure_one(name, mode, stage, settings)
    return [_figure(results, mode, rate, quantile)
            for rate in settings.rates for quantile in ("p50", "p99")]


def _contenders(settings):
    return [name for name, wanted in (("relay", settings.with_relay),
                                      ("debezium", settings.with_debezium)) if wanted]


def _measure_one(name, mode, stage, settings):
    """{rate: what the probe measured, with the relay's CPU and memory}"""
    found = {}
    with stage.database() as database, \
            drain.topic(stage, f"bench.{name}", settings.partitions) as topic:
        with _make(name, mode, stage, database, topic).running() as pid:
            for rate in settings.rates:
                before = usage.cpu_s(pid)
                measured = probe.commits(stage, database, topic, rate, settings)
                measured["cpu_s"] = (usage.cpu_s(pid) - before) * 1e6 / measured["sent"]
                measured["rss_mb"] = usage.peak_mb(pid)
                found[rate] = measured
                tell(f"{mode}-latency, {name} at {rate}/s: p50 {measured['p50_ms']:.2f} ms,"
                     f" p99 {measured['p99_ms']:.2f} ms, {measured['sent']:,} events")
    return found


def _make(name, mode, stage, database, topic):
    if name == "relay":
        return OurRelay(stage, database, topic, f"{mode}_latency", mode)
    database.execute("select outbox.create_publication(%s)", [_PUBLICATION])
    peer = debezium.Debezium(stage, database, topic, f"{mode}_latency", _PUBLICATION,
                             "latency")
    peer.prepare()
    return peer


def _figure(results, mode, rate, quantile):
    value = {name: by_rate[rate][f"{quantile}_ms"] for name, by_rate in results.items()}
    ours = results.get("relay", {}).get(rate)
    times_better = ratio(value.get("debezium"), value.get("relay"))
    goals = {}
    if ours:
        if quantile in _GOALS_MS[mode]:
            goals["ms"] = (value["relay"], "<=", _GOALS_MS[mode][quantile])
        if mode == "wal" and quantile == "p50":
            goals["x below Debezium"] = (times_better, ">=", 10)
    details = {f"{name} {what}": by_rate[rate][what] for name, by_rate in results.items()
               for what in ("rate", "late_sends", "max_ms", "rss_mb", "cpu_s")
               if what in by_rate[rate] and quantile == "p50"}
    return Figure(f"{mode}-latency {rate}/s {quantile}", "ms", value.get("relay"), value["floor"],
                  value.get("debezium"), ratio(value["floor"], value.get("relay")), times_better,
                  ours and ours["rss_mb"], ours and ours["cpu_s"], goals, details)
