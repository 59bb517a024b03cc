"""What a running relay costs those who insert: pgbench's transactions a second beside the same
table without a relay.

The rounds alternate, so that what the machine does besides falls on all alike. Relay and broker run
on the same cores as Postgres and pgbench here: what they take of the CPU is in the ratio.
"""

import re
import statistics
import subprocess
from contextlib import nullcontext

from . import drain
from .contender import add
from .our_relay import OurRelay
from .report import Figure, ratio
from .tell import tell

_CLIENTS = 4
_RATE = 500  # a second, far below what the machine can
_SCRIPT = ("select outbox.publish('order', (random() * 10000)::int::text, 'OrderPlaced',"
           " '{\"order\": 1, \"currency\": \"EUR\", \"total\": 1299.50, \"note\": \"" + "x" * 100
           + "\"}');\n")


def measure(stage, settings):
    script = stage.folder / "insert.sql"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(_SCRIPT)
    modes = ["wal", "poll"] if settings.with_relay else []
    results = {}
    for number in range(1 - settings.warmup_rounds, settings.rounds + 1):
        if number == 1:
            results.clear()
        for mode in ["none", *modes]:
            _round(stage, settings, mode, number + settings.warmup_rounds, script, results)
        tell(f"insert-cost, round {number} of {settings.rounds}: "
             + ", ".join(f"{name} {values[-1]:,.1f}" for name, values in results.items()))
    return [_figure(results, mode) for mode in modes]


def _round(stage, settings, mode, number, script, results):
    """A database of its own, so that every round finds an empty table."""
    with stage.database() as database, \
            drain.topic(stage, "bench.insert", settings.partitions) as topic:
        relay = nullcontext() if mode == "none" else \
            OurRelay(stage, database, topic, f"insert_{mode}_{number}", mode).running()
        with relay:
            tps, _ = _pgbench(database, script, settings.seconds)
            _, latency_ms = _pgbench(database, script, settings.seconds, f"--rate={_RATE}")
    add(results, f"{mode} tps", tps)
    add(results, f"{mode} ms", latency_ms)


def _pgbench(database, script, seconds, *options):
    done = subprocess.run(
        ["pgbench", "--no-vacuum", f"--client={_CLIENTS}", "--jobs=1", f"--time={seconds}",
         "--protocol=prepared", f"--file={script}", *options, database.url],
        capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"pgbench: {done.stderr}")
    tps = re.search(r"^tps = ([\d.]+)", done.stdout, re.M)
    latency = re.search(r"^latency average = ([\d.]+) ms", done.stdout, re.M)
    return float(tps.group(1)), float(latency.group(1))


def _figure(results, mode):
    median = {name: statistics.median(values) for name, values in results.items()}
    ours, without = median[f"{mode} tps"], median["none tps"]
    return Figure(
        f"insert-cost {mode}", "commits/s", ours, without, None, ratio(ours, without), None,
        details={f"x latency at {_RATE}/s without a relay": ratio(median["none ms"],
                                                                 median[f"{mode} ms"]),
                 **{f"rounds, {name}": values for name, values in results.items()}})
