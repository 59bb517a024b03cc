"""The command line of tests/bench/run."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from subprocess import CalledProcessError

from . import (dead_letters_list, emit_drain, held_keys, insert_cost, latency_at_rates, our_relay,
               poll_drain, replay_drain, report, retention, status_drain, wal_drain)
from .settings import Settings
from .stage import Stage

BENCHMARKS = {"wal-drain": wal_drain.measure, "wal-latency": latency_at_rates.measure_wal,
              "poll-drain": poll_drain.measure, "poll-latency": latency_at_rates.measure_poll,
              "status-drain": status_drain.measure, "emit-drain": emit_drain.measure,
              "insert-cost": insert_cost.measure, "retention": retention.measure,
              "held-keys": held_keys.measure, "replay-drain": replay_drain.measure,
              "dead-letters-list": dead_letters_list.measure}


def _number(least):
    def parse(text):
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is below {least}")
        return value
    return parse


def _parser():
    standard = Settings()
    parser = argparse.ArgumentParser(
        prog="tests/bench/run",
        description="Measures the relay beside its ceiling and its peer, all in the same run.",
        epilog="Exit code 0: measured; 1: something failed, or with --check a goal was missed.")
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help=f"{', '.join(BENCHMARKS)}; all of them by default")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--check", action="store_true", help="exit code 1 if a goal is missed")
    parser.add_argument("--rounds", type=_number(1), default=standard.rounds,
                        help="medians of so many (%(default)s)")
    parser.add_argument("--rows", type=_number(1000), default=standard.rows,
                        help="drains: rows of the backlog (%(default)s)")
    parser.add_argument("--seconds", type=_number(1), default=standard.seconds,
                        help="latencies: how long at each rate (%(default)s)")
    parser.add_argument("--without", action="append", default=[], choices=["relay", "debezium"],
                        help="leave one out, to try the rest")
    parser.add_argument("--keep", action="store_true", help="leave the services running")
    return parser


def main():
    options = _parser().parse_args()
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        print(f"tests/bench/run: no benchmark '{unknown[0]}'. There are: {' '.join(BENCHMARKS)}",
              file=sys.stderr)
        return 2
    settings = Settings(rounds=options.rounds, rows=options.rows, seconds=options.seconds,
                        with_relay="relay" not in options.without,
                        with_debezium="debezium" not in options.without)
    figures = []
    try:
        our_relay.build(settings)
        with Stage(keep=options.keep) as stage:
            for name in options.names or BENCHMARKS:
                figures += BENCHMARKS[name](stage, settings)
    except (RuntimeError, AssertionError, CalledProcessError) as error:
        print(f"tests/bench/run: {error}", file=sys.stderr)
        return 1
    report.print_table(figures)
    if options.json:
        options.json.write_text(json.dumps([asdict(f) for f in figures], indent=1) + "\n")
    return 1 if options.check and any(f.missed() for f in figures) else 0


sys.exit(main())
