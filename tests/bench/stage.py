"""Postgres and Kafka of the benchmarks' own, and databases with the outbox schema."""

import os
import subprocess
from contextlib import contextmanager

from support.database import Database
from support.environment import CHECKOUT
from support.services import Services

from .tell import tell

FOLDER = CHECKOUT / ".run" / "bench"
_SCHEMA = CHECKOUT / "outbox-schema" / "migrations"


class Stage:
    """`with Stage() as stage:` starts the services; they are deleted at its end."""

    def __init__(self, keep=False):
        # What Kafka's own start script takes: a smaller heap is collected all the time, and those
        # pauses would be in everybody's latency.
        os.environ.setdefault("KAFKA_HEAP_OPTS", "-Xms1g -Xmx1g")
        self.folder = FOLDER
        self._keep = keep
        self._services = Services(FOLDER / "services")

    def __enter__(self):
        self._services.start()
        environment = self._services.env()
        self.database_url = environment["DATABASE_URL"]
        self.bootstrap = environment["KAFKA_BOOTSTRAP"]
        # The backlog's WAL in few checkpoints, so that none begins in the middle of a measurement.
        self._sql("alter system set max_wal_size = '8GB'", "alter system set checkpoint_timeout = "
                  "'30min'", "select pg_reload_conf()")
        return self

    def __exit__(self, *_):
        if self._keep:
            tell(f"the services go on in {self._services.folder}")
        else:
            self._services.__exit__()

    @contextmanager
    def database(self):
        """A database with the outbox schema."""
        with Database(with_schema=False, server_url=self.database_url) as database:
            for migration in sorted(_SCHEMA.glob("V*.sql")):
                subprocess.run(["psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", migration,
                                database.url], check=True)
            yield database

    def _sql(self, *statements):
        for statement in statements:
            subprocess.run(["psql", "-X", "-q", "-c", statement, self.database_url], check=True,
                           stdout=subprocess.DEVNULL)
