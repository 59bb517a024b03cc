"""Our relay, with a config of the benchmark's own."""

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

from support.environment import CHECKOUT
from support.relay import Relay

from . import usage


def build(settings):
    """The release build; OUTBOX_BIN names another relay. The programs of our own are always built
    here."""
    targets = ["bench_latency", "bench_bare"]
    if settings.with_relay and not os.environ.get("OUTBOX_BIN"):
        targets.append("outbox")
        os.environ["OUTBOX_BIN"] = str(CHECKOUT / "build" / "release" / "outbox")
    for command in (["cmake", "--preset", "release"],
                    ["cmake", "--build", "--preset", "release", "--target", *targets]):
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def program(name):
    return Path(CHECKOUT / "build" / "release" / "tests" / name)


class OurRelay:
    """Made once, so that its slot, publication and progress exist before the rows do."""

    name = "relay"

    def __init__(self, stage, database, topic, number, mode="wal", source_more="",
                 on_failure="dead-letter", route_more=""):
        self.slot = f"{database.name}_relay_{number}"
        self._relay = Relay(stage.folder / f"relay-{number}", database.url, topic,
                            pipeline=f"bench-{number}", slot=self.slot,
                            bootstrap=stage.bootstrap, mode=mode, on_failure=on_failure)
        table = 'table = "outbox.event"\n'
        text = self._relay.config_file.read_text()
        self._relay.config_file.write_text(text.replace(table, f"{table}{source_more}\n")
                                           + route_more)

    def prepare(self):
        with self._relay:
            pass

    @contextmanager
    def running(self):
        """Its pid."""
        with self._relay:
            yield self._relay.process.pid

    @contextmanager
    def starting(self):
        """Its pid; it may still be starting."""
        self._relay.start()
        try:
            yield self._relay.process.pid
        finally:
            self._relay.stop()

    def peak_mb(self):
        return usage.peak_mb(self._relay.process.pid)
