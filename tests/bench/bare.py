"""The least loop from Postgres to Kafka: the two client libraries and nothing else."""

import os
import subprocess
from contextlib import contextmanager

from . import usage
from .our_relay import program


class Bare:
    """Its slot is made here, before the rows."""

    name = "bare loop"

    def __init__(self, stage, database, topic, number, publication):
        self._database = database
        self._slot = f"{database.name}_bare_{number}"
        self._arguments = [self._slot, publication, stage.bootstrap, topic]
        self._process = None

    def prepare(self):
        self._database.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')",
                               [self._slot])

    @contextmanager
    def starting(self):
        """Its pid; it may still be starting."""
        self._process = subprocess.Popen(
            [program("bench_bare"), *self._arguments],
            env={**os.environ, "DATABASE_URL": self._database.url}, stdin=subprocess.DEVNULL)
        try:
            yield self._process.pid
        finally:
            self._process.terminate()
            if self._process.wait(30) != 0:
                raise RuntimeError(f"bench_bare ended with {self._process.returncode}")

    def peak_mb(self):
        return usage.peak_mb(self._process.pid)
