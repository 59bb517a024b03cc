"""The story of the demo, told from its command line (`ops/demo` checks it and passes it on)."""

import argparse
import os
import signal
import sys
import time

import psycopg2
from confluent_kafka import KafkaException

from support import environment

from . import watch
from .arrivals import Arrivals
from .conclusion import conclude
from .screen import Progress, say, tell
from .shop import Writers
from .stage import DEFAULT_FOLDER, TOPIC, Stage, StageError, quiet_environment

_STALLED_AFTER_S = 60
_SHOWN_BY_EXIT = 20  # events that `--exit` alone shows


def main():
    parser = argparse.ArgumentParser(prog="ops/demo")
    parser.add_argument("--events", type=int)
    parser.add_argument("--exit", action="store_true")
    parser.add_argument("--broker", choices=["kafka", "mock"], default="kafka")
    parser.add_argument("--dir", default=DEFAULT_FOLDER)
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end_like_ctrl_c)
    quiet_environment()
    os.environ.setdefault("OUTBOX_BIN", str(environment.CHECKOUT / "build/release/outbox"))
    try:
        with Stage(options.dir, options.broker, tell) as stage:
            if options.events:
                return _count(stage, options.events, stay=not options.exit)
            return watch.run(stage, _SHOWN_BY_EXIT if options.exit else None)
    except KeyboardInterrupt:
        say("\nstopped all of it", "dim")
        return 0 if options.events is None and not options.exit else 130
    except (StageError, RuntimeError, AssertionError, psycopg2.Error, KafkaException) as error:
        say(f"ops/demo: {error}", "red")
        return 1


def _end_like_ctrl_c(*_):
    raise KeyboardInterrupt


def _count(stage, total, stay):
    """Writes `total` events, reads them back, prints the verdict as the last line."""
    arrivals = Arrivals(TOPIC, stage.bootstrap)
    writers = Writers(stage.database, total)
    progress = Progress(total)
    writers.start()
    _follow(stage, writers, arrivals, progress, total)
    writers.join()
    progress.close(writers.committed_count(), len(arrivals.different))
    if stay:
        watch.print_hints(stage)
        say("Ctrl-C ends the demo and prints the verdict.", "dim")
        _wait_for_ctrl_c(stage)
    return conclude(stage, writers.written(), arrivals)


def _follow(stage, writers, arrivals, progress, total):
    """Until all has arrived, something broke, or nothing moved for a minute."""
    moved_s, seen = time.monotonic(), 0
    while len(arrivals.different) < total:
        time.sleep(0.1)
        now_s, now_seen = time.monotonic(), len(arrivals.different) + writers.committed_count()
        if now_seen != seen:
            moved_s, seen = now_s, now_seen
        progress.show(writers.committed_count(), len(arrivals.different))
        if problem := writers.problem or arrivals.problem:
            say(f"ops/demo: {problem}", "red")
            return
        if not stage.relay.running():
            say(f"ops/demo: the relay ended:\n{stage.relay.log_tail()}", "red")
            return
        if now_s - moved_s > _STALLED_AFTER_S:
            say(f"ops/demo: nothing arrived for {_STALLED_AFTER_S} s", "red")
            return


def _wait_for_ctrl_c(stage):
    try:
        while stage.relay.running():
            time.sleep(0.2)
    except KeyboardInterrupt:
        say()


if __name__ == "__main__":
    sys.exit(main())
