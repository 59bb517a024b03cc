"""A committed backlog of READY rows polled by status, beside COPY of the same rows.

Each row is marked SENT, so every round has a table of its own. Nobody else reads such a table: the
figure stands beside its ceiling alone.
"""

import statistics
import subprocess
import time
from contextlib import contextmanager

from support.relay import Relay

from . import drain, usage
from .contender import Contender, add, measure_all
from .report import Figure, ratio
from .tell import tell

_TABLE = """
create table public.{table} (
  id uuid primary key, aggregate_type text not null, aggregate_id text not null, payload jsonb,
  status text not null default 'READY', created_at timestamptz not null default now(),
  seq bigint generated always as identity
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
create index on public.{table} (seq, id) where status = 'READY';
insert into public.{table} (id, aggregate_type, aggregate_id, payload)
select gen_random_uuid(), 'order', 'customer-' || n %% {keys},
       jsonb_build_object(
         'order', n, 'customer', 'c-' || n %% {keys}, 'currency', 'EUR', 'total', 1299.50,
         'placed_at', '2026-01-31T12:00:00Z', 'lines', 3, 'channel', 'web', 'note', repeat('x', 60))
from generate_series(1, {rows}) n"""


class StatusRelay:
    """Our relay with a table of one round."""

    name = "relay"

    def __init__(self, stage, database, topic, table):
        self._relay = Relay(stage.folder / f"relay-{table}", database.url, topic,
                            pipeline=f"bench-{table}", slot=table, bootstrap=stage.bootstrap,
                            mode="poll")
        text = self._relay.config_file.read_text().replace(
            'table = "outbox.event"',
            f'table = "public.{table}"\ncolumns = {{ status = "status", order = "seq" }}')
        self._relay.config_file.write_text(text)
        self._database = database
        self._table = table

    @contextmanager
    def starting(self):
        """Its pid. At the end everything that arrived is marked: else the rate would be one of
        reading alone."""
        self._relay.start()
        try:
            yield self._relay.process.pid
        except BaseException:
            self._relay.stop()
            raise
        self._end()

    def peak_mb(self):
        return usage.peak_mb(self._relay.process.pid)

    def _end(self):
        if self._relay.stop() != 0:
            raise RuntimeError(f"the relay ended badly:\n{self._relay.log_tail()}")
        left = self._database.value(
            f"select count(*) from public.{self._table} where status <> 'SENT'")
        if left:
            raise RuntimeError(f"{left} rows are not SENT")


def measure(stage, settings):
    results = {}
    with stage.database() as database:
        for number in range(1 - settings.warmup_rounds, settings.rounds + 1):
            if number == 1:
                results.clear()
            _round(stage, database, settings, f"round_{number + settings.warmup_rounds}", results)
            tell(f"status-drain, round {number} of {settings.rounds}: "
                 + ", ".join(f"{name} {values[-1]:,.0f}" for name, values in results.items()))
    return [_figure(results)]


def _round(stage, database, settings, table, results):
    # The topic first: a broker needs a moment before every partition has its leader.
    with drain.topic(stage, "bench.status", settings.partitions) as topic:
        for statement in _TABLE.replace("%%", "%").format(
                table=table, rows=settings.rows, keys=settings.keys).split(";"):
            database.execute(statement)
        for statement in (f"vacuum (freeze, analyze) public.{table}", "checkpoint"):
            database.execute(statement)
        add(results, "copy", _copy_rate(database, table, settings.rows))
        if settings.with_relay:
            measure_all([Contender(StatusRelay(stage, database, topic, table), topic)], results,
                        stage, settings)
        database.execute(f"drop table public.{table}")


def _copy_rate(database, table, rows):
    """Rows a second of psql's COPY in the same order to /dev/null."""
    start = time.monotonic()
    subprocess.run(["psql", "-X", "-q", "-d", database.url, "-c",
                    f"\\copy (select * from public.{table} where status = 'READY' order by seq, id)"
                    " to /dev/null (format binary)"], check=True)
    return rows / (time.monotonic() - start)


def _figure(results):
    median = {name: statistics.median(values) for name, values in results.items()}
    ours = median.get("relay")
    rss_mb = max(results["relay MB"]) if ours else None
    return Figure(
        "status-drain", "events/s", ours, median["copy"], None, ratio(ours, median["copy"]), None,
        rss_mb, median.get("relay CPU s"),
        goals={} if ours is None else {
            "events/s": (ours, ">=", 15_000), "resident MB": (rss_mb, "<=", 48)},
        details={f"rounds, {name}": values for name, values in results.items()})
