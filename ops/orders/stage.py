"""All that the demo runs: Postgres, Kafka (or a mock of it), the schema, a topic, the relay."""

import fcntl
import os
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path

from service.port import free_port, is_free
from support import environment
from support.database import Database
from support.relay import Relay
from support.services import Services
from support.topic import create_topic

TOPIC = "order.events"
_PARTITIONS = 6
_USUAL_ADMIN_PORT = 9187
DEFAULT_FOLDER = environment.CHECKOUT / ".run" / "demo"

_CONFIG = """\
# Written by ops/demo. `outbox check --config` explains what is wrong with a config.
[admin]
listen = "127.0.0.1:{admin_port}"

[source.shop]
type = "postgres"
url = "${{DATABASE_URL}}"
mode = "wal"
slot = "outbox_shop"
publication = "outbox_shop"
table = "outbox.event"

[sink.kafka]
type = "kafka"
bootstrap_servers = "${{KAFKA_BOOTSTRAP}}"

[[pipeline]]
name = "orders"
source = "shop"
sink = "kafka"

[[pipeline.route]]
match = {{ aggregate_type = "order" }}
topic = "{topic}"
on_failure = "dead-letter"
"""

_ORDERS_TABLE = """
create table orders (
  number bigint primary key,
  customer text not null,
  amount_cents bigint not null,
  state text not null,
  changed_at timestamptz not null default now()
)"""


class StageError(Exception):
    """Why the demo cannot go on, for a person."""


class Stage:
    """`with Stage(…) as stage:` everything runs; after it nothing does. The data of the last demo
    is deleted at the start of the next."""

    def __init__(self, folder, broker, tell):
        self._folder = Path(folder).resolve()
        self._broker = broker
        self._tell = tell
        self._ends = ExitStack()

    def __enter__(self):
        try:
            self._set_up()
        except BaseException:
            self._ends.close()
            raise
        return self

    def __exit__(self, *_):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it
        self._ends.close()

    def command(self, name):
        """How a person calls the relay's binary on this stage."""
        return f"{shown(environment.outbox_bin())} {name} --config {shown(self.relay.config_file)}"

    def _set_up(self):
        self._claim_folder()
        self._start_servers()
        self.database = self._shop_database()
        self._tell("schema", "database 'shop': outbox schema applied, table orders")
        if self._broker == "kafka":
            create_topic(TOPIC, _PARTITIONS, bootstrap=self.bootstrap)
            self._tell("topic", f"{TOPIC}, {_PARTITIONS} partitions")
        self._write_env_file()
        self._start_relay()

    def _claim_folder(self):
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = self._ends.enter_context(open(self._folder / "demo.lock", "w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StageError(f"another demo runs in {shown(self._folder)}. End it first (Ctrl-C), "
                             "or choose another --dir.") from None

    def _start_servers(self):
        services = Services(self._folder)
        services.remove()
        self._ends.callback(services.stop)
        only = None if self._broker == "kafka" else "postgres"
        services.start(only)
        env = services.env()
        self.server_url = env["DATABASE_URL"]
        self._tell("postgres", self.server_url.rsplit("@")[1].split("/")[0])
        self.bootstrap = env.get("KAFKA_BOOTSTRAP") or self._start_mock()
        self._tell("kafka" if only is None else "kafka (mock)", self.bootstrap)

    def _start_mock(self):
        program = environment.CHECKOUT / "build" / "release" / "mock_kafka"
        topic = ["--topic", f"{TOPIC}:{_PARTITIONS}"]
        mock = subprocess.Popen([program, *topic], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True, start_new_session=True)
        self._ends.callback(mock.wait)
        self._ends.callback(mock.terminate)
        name, _, value = mock.stdout.readline().strip().partition("=")
        if name != "KAFKA_BOOTSTRAP":
            raise StageError(f"{program} does not start")
        return value

    def _shop_database(self):
        database = Database(server_url=self.server_url, name="shop")
        database.__enter__()  # not dropped at the end: a person may look at it afterwards
        database.execute(_ORDERS_TABLE)
        return database

    def _start_relay(self):
        admin_port = _USUAL_ADMIN_PORT if is_free(_USUAL_ADMIN_PORT) else free_port()
        self.relay = Relay(
            self._folder, self.database.url, bootstrap=self.bootstrap, pipeline="orders",
            admin_port=admin_port, slot="outbox_shop", own_session=True,
            config=_CONFIG.format(admin_port=admin_port, topic=TOPIC))
        self.relay.log_file.unlink(missing_ok=True)
        self.relay.start()
        self._ends.callback(self.stop_relay)
        self.relay.wait_ready()
        log = shown(self.relay.log_file)
        self._tell("relay", f"ready, pid {self.relay.process.pid}, log {log}")

    def stop_relay(self):
        """Drains and ends the relay; True if it ended well (again, if it had ended before)."""
        if self.relay.running():
            self.relay.process.send_signal(signal.SIGTERM)
        return self.relay.wait() == 0

    def _write_env_file(self):
        """What the commands that a person tries need, to be sourced."""
        self.env_file = self._folder / "env"
        self.env_file.touch(mode=0o600)
        self.env_file.write_text(f"export DATABASE_URL='{self.database.url}'\n"
                                 f"export KAFKA_BOOTSTRAP='{self.bootstrap}'\n")


def shown(path):
    """A path as a person in the checkout would type it."""
    return os.path.relpath(path, environment.CHECKOUT)


def quiet_environment():
    """The clients' own temporary settings must not reach the demo."""
    for name in ("PGDATABASE", "PGUSER", "PGPASSWORD", "PGHOST", "PGPORT", "PGOPTIONS"):
        os.environ.pop(name, None)
