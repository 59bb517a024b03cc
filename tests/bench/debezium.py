"""The peer: Debezium's Postgres connector with its Outbox Event Router, in Kafka Connect."""

import json
import shutil
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from service.port import free_port
from support.environment import CHECKOUT

from . import usage

_SETTINGS = Path(__file__).parent / "debezium"
_JARS = CHECKOUT / ".run" / "debezium"
_JAVA = ["java", "-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]
_START_PATIENCE_S = 120


def fetch():
    subprocess.run([CHECKOUT / "ops" / "jars", _SETTINGS / "pom.xml", _JARS], check=True)


class Debezium:
    """`purpose` is drain or latency: debezium/<purpose>.properties. The publication exists already;
    the slot is made here, before the rows."""

    name = "debezium"

    def __init__(self, stage, database, topic, number, publication, purpose):
        self.slot = f"{database.name}_debezium_{number}"
        self._database = database
        self._folder = stage.folder / f"debezium-{number}"
        self._port = free_port()
        self._process = None
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self._write("worker", ["worker"], {
            "bootstrap.servers": stage.bootstrap,
            "listeners": f"http://127.0.0.1:{self._port}",
            "offset.storage.file.filename": self._folder / "offsets"})
        self._write("connector", ["connector", purpose], {
            **self._database_properties(), "slot.name": self.slot,
            "publication.name": publication,
            "transforms.outbox.route.topic.replacement": topic})

    def prepare(self):
        self._database.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')",
                               [self.slot])

    @contextmanager
    def starting(self):
        """Its pid; it may still be starting."""
        with open(self._folder / "connect.log", "wb") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *_JAVA, "-cp", f"{_JARS}/*",
                 f"-Dlog4j2.configurationFile={CHECKOUT / 'ops' / 'kafka' / 'log4j2.properties'}",
                 "org.apache.kafka.connect.cli.ConnectStandalone",
                 self._folder / "worker.properties", self._folder / "connector.properties"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield self._process.pid
        finally:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @contextmanager
    def running(self):
        """Its pid, once its task runs and streams."""
        with self.starting() as pid:
            deadline = time.monotonic() + _START_PATIENCE_S
            while not (self._task_runs() and self._streams()):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"Debezium does not start: {self._folder / 'connect.log'}")
                time.sleep(0.1)
            yield pid

    def peak_mb(self):
        return usage.peak_mb(self._process.pid)

    def _task_runs(self):
        url = f"http://127.0.0.1:{self._port}/connectors/outbox/status"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                states = [task["state"] for task in json.load(answer)["tasks"]]
        except OSError:
            return False
        if "FAILED" in states:
            raise RuntimeError(f"Debezium's task failed: {self._folder / 'connect.log'}")
        return states == ["RUNNING"]

    def _streams(self):
        return self._database.value("select active from pg_replication_slots where slot_name = %s",
                                    [self.slot])

    def _database_properties(self):
        parts = urlsplit(self._database.url)
        return {"database.hostname": parts.hostname, "database.port": parts.port,
                "database.user": parts.username, "database.password": unquote(parts.password),
                "database.dbname": self._database.name}

    def _write(self, name, sources, properties):
        text = "".join((_SETTINGS / f"{source}.properties").read_text() for source in sources)
        text += "".join(f"{key}={value}\n" for key, value in properties.items())
        file = self._folder / f"{name}.properties"
        file.touch(mode=0o600)
        file.write_text(text)
