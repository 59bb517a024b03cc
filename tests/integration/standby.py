"""A standby of a test's cluster, which may be promoted."""

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import closing
from urllib.parse import urlsplit

from service.port import free_port
from service.postgres import as_its_user, program
from support.database import connect
from support.waiting import wait_until


class Standby:
    """`with Standby(cluster) as standby:` follows the cluster until promoted."""

    def __init__(self, cluster):
        self._cluster = cluster
        self._process = None
        self.port = free_port()

    def __enter__(self):
        user = as_its_user()
        self._data = tempfile.mkdtemp(prefix="outbox-standby-", dir="/var/tmp")
        if user:
            shutil.chown(self._data, user["user"], user["group"])
        subprocess.run([program("pg_basebackup"), "-D", self._data, "-d", self._cluster.url,
                        "-X", "stream", "-R", "-c", "fast"], check=True, cwd="/", **user)
        os.chmod(self._data, 0o700)
        self._start()
        return self

    def __exit__(self, *_):
        if self._process is not None:
            self._stop()
        shutil.rmtree(self._data)

    def _start(self):
        with open(f"{self._data}/server.log", "a") as log:
            self._process = subprocess.Popen(
                [program("postgres"), "-D", self._data, "-p", str(self.port)], stdout=log,
                stderr=log, cwd="/", **as_its_user())
        wait_until(self.answers, "the standby answers", 30)

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
        user = as_its_user()
        for path in (copy, f"{copy}/state"):
            if user:
                shutil.chown(path, user["user"], user["group"])
        self._start()

    def promote(self):
        assert self.execute("select pg_promote()")[0][0]
