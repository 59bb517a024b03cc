"""A private Postgres: superuser `postgres` with a password of its own, `wal_level=logical`."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from .error import ServiceError
from .port import becomes_free, free_port
from .process import Daemon, wait_until

_START_PATIENCE_S = 60
_SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
wal_level = logical
max_replication_slots = 64
max_wal_senders = 64
max_prepared_transactions = 64
max_connections = 200
shared_buffers = 256MB
recovery_init_sync_method = syncfs
log_line_prefix = '%m [%p] %u@%d '
"""


class Postgres:
    def __init__(self, folder):
        self._folder = folder
        self._data = folder.file("postgres")

    @property
    def daemon(self):
        return Daemon("postgres", self._folder.file("postgres.pid"),
                      self._folder.file("postgres.log"), self._real_data())

    def url(self):
        return self._folder.read("postgres.url")

    def address(self):
        return self.url().rsplit("@", 1)[1].split("/")[0]

    def start(self):
        """True if it was started, False if it ran already. Returns when it answers SQL."""
        if not self._folder.has_postgres():
            self.remove()
            self._create()
        elif self.daemon.pid() is not None and self._answers():
            return False
        # A server killed a moment ago leaves children that hold its shared memory for a little.
        if not wait_until(self._try_start, _START_PATIENCE_S, pause_s=0.1):
            self._give_up()
        return True

    def stop(self):
        fast, immediate = signal.SIGINT, signal.SIGQUIT
        return self.daemon.stop((fast, 30), (immediate, 10))

    def remove(self):
        shutil.rmtree(self._real_data(), ignore_errors=True)
        if self._data.is_symlink():
            self._data.unlink()

    def _real_data(self):
        return os.path.realpath(self._data)

    def _answers(self):
        probe = subprocess.run(
            ["psql", "-X", "-q", "-t", "-c", "select 1", self.url()], capture_output=True,
            env={**os.environ, "PGCONNECT_TIMEOUT": "2"})
        return probe.returncode == 0

    def _try_start(self):
        if self.daemon.pid() is None:
            self._keep_or_change_port()
            before = self.daemon.log_size()
            port = self.address().split(":")[1]
            child = self.daemon.spawn(
                [program("postgres"), "-D", self._real_data(), "-p", port], **as_its_user())
            ready = wait_until(lambda: child.poll() is not None or self._answers(),
                               _START_PATIENCE_S)
            if child.poll() is not None:
                said = self.daemon.log_since(before)
                if "shared memory block" not in said and "lock file" not in said:
                    self._give_up()
                return False
            return ready
        return self._answers()

    def _give_up(self):
        last = self.daemon.log_file.read_text(errors="replace").splitlines()[-1:]
        raise ServiceError(
            f"Postgres does not start: {''.join(last)} (log: {self.daemon.log_file})")

    def _keep_or_change_port(self):
        """The old port while it is free, so that a URL survives a restart."""
        start, port_and_name = self.url().rsplit(":", 1)
        port, name = port_and_name.split("/")
        if not becomes_free(int(port)):
            self._folder.write("postgres.url", f"{start}:{free_port()}/{name}", mode=0o600)

    def _create(self):
        self._make_reachable_place()
        password = secrets.token_hex(16)
        owner = as_its_user()
        with tempfile.NamedTemporaryFile("w", prefix="outbox-initdb-") as password_file:
            password_file.write(password)
            password_file.flush()
            if owner:
                shutil.chown(password_file.name, owner["user"])
            made = subprocess.run(
                [program("initdb"), "-D", self._real_data(), "-U", "postgres",
                 f"--pwfile={password_file.name}", "--auth=scram-sha-256", "--encoding=UTF8",
                 "--locale=C.UTF-8", "--no-sync"],
                capture_output=True, text=True, cwd="/", **owner)
        if made.returncode != 0:
            self.remove()
            raise ServiceError(f"initdb failed: {made.stderr.strip()}")
        with open(self._data / "postgresql.conf", "a") as settings:
            settings.write(_SETTINGS)
        self._folder.write("postgres.url",
                           f"postgresql://postgres:{password}@127.0.0.1:{free_port()}/postgres",
                           mode=0o600)

    def _make_reachable_place(self):
        """Makes the data directory, where the user that runs Postgres can get at it.

        Postgres refuses to run as root, and its own user cannot enter a checkout below, say, /root.
        Then the data lies in /var/tmp and the folder holds a link to it; `remove` clears both.
        """
        owner = as_its_user()
        enter = ["test", "-x", f"{self._folder.path}/."]
        if not owner or subprocess.run(enter, cwd="/", **owner).returncode == 0:
            self._data.mkdir(mode=0o700)
        else:
            self._data.symlink_to(tempfile.mkdtemp(prefix="outbox-postgres-", dir="/var/tmp"))
        if owner:
            shutil.chown(self._real_data(), owner["user"], owner["group"])


def as_its_user():
    """How to start a program of Postgres: as we are, but for root as the system's `postgres`."""
    if os.geteuid() != 0:
        return {}
    try:
        entry = pwd.getpwnam("postgres")
    except KeyError:
        raise ServiceError("no system user 'postgres'. Run: ops/install services") from None
    return {"user": entry.pw_name, "group": entry.pw_gid, "extra_groups": []}


def program(name):
    """A program of the newest Postgres here; OUTBOX_POSTGRES_BIN names another folder."""
    chosen = os.environ.get("OUTBOX_POSTGRES_BIN")
    folders = [Path(chosen)] if chosen else sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda f: float(f.parent.name), reverse=True)
    for folder in folders:
        if (folder / name).exists():
            return str(folder / name)
    raise ServiceError(f"no Postgres program '{name}' here. Run: ops/install services")
