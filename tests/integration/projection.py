"""A relay that writes into another database, and what arrived there."""

import subprocess
from contextlib import ExitStack, contextmanager

import config_text
from service.port import free_port
from shop import Shop
from support.database import Database
from support.environment import CHECKOUT
from support.relay import Relay
from support.topic import unique_name
from support.waiting import wait_until

INBOX = CHECKOUT / "outbox-schema" / "migrations" / "V006__inbox.sql"
TABLE = """
create table public.orders (
  aggregate_type text, aggregate_id text, event_id uuid not null, event_type text not null,
  payload jsonb not null, headers jsonb not null, committed_at timestamptz not null,
  primary key (aggregate_type, aggregate_id))"""
FUNCTION = """
create table public.acted (place bigserial, id uuid, key text, n int check (n >= 0));
create function public.act(id uuid, aggregate_type text, aggregate_id text, event_type text,
                           payload jsonb, headers jsonb) returns void language sql as $$
  insert into public.acted (id, key, n) values ($1, $3, ($5 ->> 'n')::int) $$"""
TO_TABLE = 'table = "public.orders"'
TO_FUNCTION = 'call = "public.act"'


def route(on_failure="dead-letter", more=""):
    return f'\n[[pipeline.route]]\non_failure = "{on_failure}"\n{more}\n'


def config(admin_port, slot, pipeline, target, routes, mode="wal"):
    return (config_text.admin(admin_port) + config_text.source("shop", slot, mode=mode)
            + f'\n[sink.reports]\ntype = "postgres"\nurl = "${{REPORTS_URL}}"\n{target}\n'
            + config_text.pipeline(pipeline, "shop", routes, sink_name="reports"))


def apply_inbox(database):
    subprocess.run(["psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", INBOX, database.url],
                   check=True)


class Projection:
    """`database` is the source, `reports` the target; `url`: how the relay comes to the target."""

    def __init__(self, database, reports, relay, pipeline):
        self.database = database
        self.reports = reports
        self.relay = relay
        self.pipeline = pipeline
        self.shop = Shop(database)

    def state(self):
        """(state, reason) of the pipeline."""
        one, = self.relay.statuses()
        return one["state"], one.get("reason") or ""

    def await_reason(self, part, patience_s=30):
        wait_until(lambda: part in self.state()[1], f"the relay waits and says why: {part}",
                   patience_s)

    def letters(self):
        return self.database.execute(
            "select event_id::text, state, last_code from outbox.dead_letter where pipeline = %s"
            " order by letter", [self.pipeline])

    def acted(self):
        """[(id, key, n)] in the order of acting."""
        return self.reports.execute("select id::text, key, n from public.acted order by place")

    def await_acted(self, ids, patience_s=60):
        """Until each of these was acted on; what was."""
        wanted = set(ids)
        wait_until(lambda: wanted <= {one for one, _, _ in self.acted()},
                   f"{len(wanted)} events were acted on", patience_s)
        return self.acted()


@contextmanager
def projection(folder, target=TO_FUNCTION, routes=(), made=FUNCTION, reports=None, url=None,
               mode="wal", ready=True):
    """`made`: SQL that is run in the target first, behind the inbox; None: not even that.
    `ready`: whether the relay is waited for; it is not ready while nothing can be written. Its slot
    is waited for always: events of before it do not come."""
    with ExitStack() as exits:
        database = exits.enter_context(Database())
        reports = reports or exits.enter_context(Database(with_schema=False))
        if made is not None:
            apply_inbox(reports)
            if made:  # else it is there already
                reports.execute(made)
        slot, pipeline = (unique_name(stem).replace(".", "_") for stem in ("slot", "pipe"))
        port = free_port()
        relay = Relay(folder / "relay", database.url, slot=slot, pipeline=pipeline,
                      config=config(port, slot, pipeline, target, routes, mode), admin_port=port,
                      environ={"REPORTS_URL": url or reports.url})
        place = Projection(database, reports, relay, pipeline)
        exits.callback(place.shop.close)
        relay.start()
        exits.callback(lambda: relay.running() and relay.kill())
        if ready:
            relay.wait_ready()
        elif mode == "wal":
            wait_until(lambda: database.value("select active from pg_replication_slots"
                                              " where slot_name = %s", [slot]), "the slot is made")
        yield place
