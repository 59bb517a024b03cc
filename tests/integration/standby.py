"""Copies of a test's cluster: a standby, which may be promoted, and a backup."""

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from service.port import free_port
from service.postgres import as_its_user, program
from support.database import connect
from support.waiting import wait_until


class _Copy:
    """A copy of the cluster's files, on an address of its own, and the server that runs on it."""

    def __init__(self, cluster):
        self._cluster = cluster
        self._user = as_its_user()
        self._process = None
        self.port = free_port()

    def __exit__(self, *_):
        if self._process is not None:
            self._stop()
        shutil.rmtree(self._data)

    def _back_up(self, *options):
        self._data = tempfile.mkdtemp(prefix="outbox-copy-", dir="/var/tmp")
        if self._user:
            shutil.chown(self._data, self._user["user"], self._user["group"])
        subprocess.run([program("pg_basebackup"), "-D", self._data, "-d", self._cluster.url,
                        "-X", "stream", "-c", "fast", *options], check=True, cwd="/", **self._user)
        os.chmod(self._data, 0o700)

    def _start(self):
        with open(f"{self._data}/server.log", "a") as log:
            self._process = subprocess.Popen(
                [program("postgres"), "-D", self._data, "-p", str(self.port)], stdout=log,
                stderr=log, cwd="/", **self._user)
        wait_until(self.answers, "the copy answers", 30)

    def _stop(self):
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        parts = urlsplit(self._cluster.url)
        return parts._replace(netloc=f"{parts.username}:{parts.password}@{self.address}").geturl()

    def answers(self):
        try:
            return self.execute("select 1")
        except Exception:
            return False

    def execute(self, sql, arguments=None, database=None):
        url = self.url if database is None else self.url.rsplit("/", 1)[0] + f"/{database}"
        with closing(connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute(sql, arguments)
            return cursor.fetchall() if cursor.description else []


class Standby(_Copy):
    """`with Standby(cluster) as standby:` follows the cluster until promoted."""

    def __enter__(self):
        self._back_up("-R")
        self._start()
        return self

    def catch_up(self):
        target, = self._cluster.execute("select pg_current_wal_flush_lsn()")[0]
        wait_until(lambda: self.execute("select pg_last_wal_replay_lsn() >= %s", [target])[0][0],
                   "the standby has replayed all")

    def fall_behind(self):
        """It receives nothing any more, as over a cut network."""
        self.execute("alter system set primary_conninfo = ''")
        self.execute("select pg_reload_conf()")
        wait_until(lambda: self.execute("select count(*) from pg_stat_wal_receiver")[0][0] == 0,
                   "it receives nothing")

    def take_slot(self, name):
        """Takes a slot of the primary over as it is on disk, as failover slots do later."""
        self._stop()
        copy = f"{self._data}/pg_replslot/{name}"
        shutil.copytree(self._cluster.data / "pg_replslot" / name, copy)
        for path in (copy, f"{copy}/state"):
            if self._user:
                shutil.chown(path, self._user["user"], self._user["group"])
        self._start()

    def promote(self):
        assert self.execute("select pg_promote()")[0][0]


class Backup(_Copy):
    """`with Backup(cluster) as backup:` is taken then, and restored when asked."""

    def __enter__(self):
        self._back_up()
        return self

    def restore(self, lsn):
        """The server as it was at `lsn`, and from there on its own. The old one's WAL is the
        archive."""
        with open(f"{self._data}/postgresql.auto.conf", "a") as file:
            file.write(f"restore_command = 'cp {self._cluster.data}/pg_wal/%f %p'\n"
                       f"recovery_target_lsn = '{lsn}'\nrecovery_target_action = 'promote'\n")
        Path(self._data, "recovery.signal").touch()
        self._start()
        wait_until(lambda: not self.execute("select pg_is_in_recovery()")[0][0], "it is restored",
                   30)
