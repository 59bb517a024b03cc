"""A real Debezium: Kafka Connect with the Postgres connector and the Outbox Event Router, one
connector a table."""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

from bench.debezium import _JARS as JARS
from bench.debezium import _SETTINGS as SETTINGS
from bench.debezium import fetch
from service.port import free_port
from support import environment
from support.environment import CHECKOUT

_PATIENCE_S = 120
_CONNECTOR = {
    "connector.class": "io.debezium.connector.postgresql.PostgresConnector", "tasks.max": 1,
    "plugin.name": "pgoutput", "publication.autocreate.mode": "disabled",
    "snapshot.mode": "no_data", "tombstones.on.delete": "false", "poll.interval.ms": 10,
    "message.prefix.exclude.list": "outbox.*",
    "transforms": "outbox",
    "transforms.outbox.type": "io.debezium.transforms.outbox.EventRouter",
    "predicates": "isOutbox", "transforms.outbox.predicate": "isOutbox",
    "predicates.isOutbox.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
    "producer.override.linger.ms": 0}


def connector(database, table, topic, options, converters):
    """The properties of a connector that reads `table`; `options`: of the router."""
    parts = urlsplit(database.url)
    routed = {"route.topic.replacement": topic, **options}
    return {
        **_CONNECTOR, "name": table, "topic.prefix": f"peer.{table}",
        "predicates.isOutbox.pattern": f"peer.{table}.public.{table}",
        "table.include.list": f"public.{table}", "slot.name": f"{database.name}_{table}",
        "publication.name": f"peer_{table}", "database.hostname": parts.hostname,
        "database.port": parts.port, "database.user": parts.username,
        "database.password": unquote(parts.password), "database.dbname": database.name,
        **{f"transforms.outbox.{name}": value for name, value in routed.items()}, **converters}


@contextmanager
def running(folder, connectors):
    """Runs until the block ends; returns once every connector streams."""
    fetch()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    port = free_port()
    worker = _write(folder / "worker.properties", {
        "bootstrap.servers": environment.kafka_bootstrap(),
        "listeners": f"http://127.0.0.1:{port}",
        "offset.storage.file.filename": folder / "offsets"},
        (SETTINGS / "worker.properties").read_text())
    files = [_write(folder / f"{one['name']}.properties", one) for one in connectors]
    with open(folder / "connect.log", "wb") as log:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "java", "-Xmx512m", "-cp", f"{JARS}/*",
             f"-Dlog4j2.configurationFile={CHECKOUT / 'ops' / 'kafka' / 'log4j2.properties'}",
             "org.apache.kafka.connect.cli.ConnectStandalone", worker, *files],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not all(_runs(port, one["name"]) for one in connectors):
            assert process.poll() is None and time.monotonic() < deadline, (
                f"Debezium does not start:\n{(folder / 'connect.log').read_text()[-3000:]}")
            time.sleep(0.2)
        yield
    finally:
        process.kill()
        process.wait()


def _write(file, properties, before=""):
    file.touch(mode=0o600)
    file.write_text(before + "".join(f"{key}={_escaped(value)}\n"
                                     for key, value in properties.items()))
    return file


def _escaped(value):
    return str(value).replace("\\", "\\\\")


def _runs(port, name):
    try:
        url = f"http://127.0.0.1:{port}/connectors/{name}/status"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return [task["state"] for task in json.load(answer)["tasks"]] == ["RUNNING"]
    except (OSError, urllib.error.URLError):
        return False
