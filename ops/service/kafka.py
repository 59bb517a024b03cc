"""A private Apache Kafka: KRaft, each broker also a controller, plain text on 127.0.0.1."""

import json
import os
import shutil
import signal
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from .error import USAGE, ServiceError
from .folder import CHECKOUT
from .port import becomes_free, free_port
from .process import Daemon, wait_until

_START_PATIENCE_S = 120
# Half of what Kafka's own start script takes, whose variable this is: the demo is to be small.
_HEAP = os.environ.get("KAFKA_HEAP_OPTS", "-Xms256m -Xmx512m").split()
_COLLECTOR = ["-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]


class Kafka:
    """The brokers of one folder, together one cluster."""

    def __init__(self, folder):
        self._folder = folder

    def bootstrap(self):
        ports = self._ports()
        return ",".join(f"127.0.0.1:{ports[n]['client']}" for n in self.brokers())

    def brokers(self):
        return self._folder.brokers()

    def begun(self):
        """Also those whose making was interrupted."""
        return list(self._ports())

    def daemon(self, number):
        name = f"kafka-{number}"
        return Daemon(name, self._folder.file(f"{name}.pid"), self._folder.file(f"{name}.log"),
                      self._config_file(number))

    def address(self, number):
        return f"127.0.0.1:{self._ports()[number]['client']}"

    def start(self, size=None, only=None, settings=None):
        """Starts what does not run of all brokers (or the `only` one); returns those started.
        A new cluster gets `size` brokers, one by default, and `settings` on top of its config; an
        old one keeps its own."""
        if not self.brokers():
            self._folder.write("kafka.settings", "\n".join(settings or []))
            self._create(size or 1)
        elif settings:
            raise ServiceError("this Kafka was made without --kafka-setting, or with others. Run "
                               "`ops/services remove` first, or use another --dir", USAGE)
        if size not in (None, len(self.brokers())):
            raise ServiceError(f"this Kafka has {len(self.brokers())} brokers, not {size}. "
                               "Run `ops/services remove` first, or use another --dir", USAGE)
        if only and only not in self.brokers():
            raise ServiceError(f"no broker {only} here, only {self.brokers()}", USAGE)
        wanted = [only] if only else self.brokers()
        idle = [n for n in wanted if self.daemon(n).pid() is None]
        if len(idle) == len(self.brokers()):
            self._change_taken_ports()
        children = {n: self._spawn(n) for n in idle}
        for number in wanted:
            self._wait_for(number, children.get(number), wanted)
        return idle

    def stop(self, numbers):
        """Returns those of `numbers` that ran. All are told at once: a broker that shuts down
        alone may wait for a majority that is not there any more."""
        running = [n for n in numbers if self.daemon(n).pid() is not None]
        for number in running:
            self.daemon(number).send(signal.SIGTERM)
        for number in numbers:
            self.daemon(number).stop((signal.SIGTERM, 10))
        return running

    def remove(self, number):
        """Ends the broker without ceremony and deletes its data."""
        self.daemon(number).stop()
        shutil.rmtree(self._folder.file(f"kafka-{number}"), ignore_errors=True)

    def _spawn(self, number):
        log4j = CHECKOUT / "ops" / "kafka" / "log4j2.properties"
        return self.daemon(number).spawn(
            ["java", *_HEAP, *_COLLECTOR, "-cp", _class_path(),
             f"-Dlog4j2.configurationFile={log4j}", "kafka.Kafka",
             str(self._config_file(number))])

    def _wait_for(self, number, child, peers):
        daemon = self.daemon(number)

        def settled():
            return (child is not None and child.poll() is not None) or self._knows(number, peers)

        if not wait_until(settled, _START_PATIENCE_S, pause_s=0.1) or daemon.pid() is None:
            raise ServiceError(f"Kafka broker {number} does not start (log: {daemon.log_file})")

    def _knows(self, number, peers):
        """Whether the broker itself answers a metadata request that lists all of `peers`."""
        answer = subprocess.run(["kcat", "-L", "-J", "-m", "2", "-b", self.address(number)],
                                capture_output=True, text=True)
        if answer.returncode != 0:
            return False
        return {broker["id"] for broker in json.loads(answer.stdout)["brokers"]} >= set(peers)

    def _config_file(self, number):
        return self._folder.file(f"kafka-{number}.properties")

    def _ports(self):
        text = self._folder.read("kafka.ports") or "{}"
        return {int(number): ports for number, ports in json.loads(text).items()}

    def _create(self, size):
        ports = {}
        for number in range(1, size + 1):
            ports[number] = _two_free_ports(ports)
        self._write_configs(ports)
        # Joined to its option by "=": one id in 64 begins with a dash.
        cluster_id = "--cluster-id=" + urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        formats = [subprocess.Popen(
            ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", _class_path(),
             "kafka.tools.StorageTool", "format", cluster_id, "-c",
             str(self._config_file(n))],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for n in ports]
        for format_run in formats:
            said, _ = format_run.communicate()
            if format_run.returncode != 0:
                for number in ports:
                    self.remove(number)
                raise ServiceError(f"Kafka's storage cannot be formatted: {said.strip()}")

    def _change_taken_ports(self):
        """Keeps the addresses over a restart while they are free."""
        ports = self._ports()
        for number, pair in ports.items():
            if not all(becomes_free(port) for port in pair.values()):
                ports[number] = _two_free_ports(ports)
        self._write_configs(ports)

    def _write_configs(self, ports):
        self._folder.write("kafka.ports", json.dumps(ports))
        voters = ",".join(f"{n}@127.0.0.1:{pair['controller']}" for n, pair in ports.items())
        for number, pair in ports.items():
            self._folder.write(f"kafka-{number}.properties", _config(
                number, pair, voters, len(ports), self._folder.file(f"kafka-{number}"),
                self._folder.read("kafka.settings") or ""))


def _config(number, pair, voters, size, data, settings):
    copies = min(3, size)
    return f"""process.roles=broker,controller
node.id={number}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{pair['client']},CONTROLLER://127.0.0.1:{pair['controller']}
advertised.listeners=PLAINTEXT://127.0.0.1:{pair['client']}
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor={copies}
offsets.topic.num.partitions=4
offsets.topic.replication.factor={copies}
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={max(1, copies - 1)}
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={max(1, copies - 1)}
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
{settings}"""


def _two_free_ports(known):
    taken = {port for pair in known.values() for port in pair.values()}
    client = free_port(taken)
    return {"client": client, "controller": free_port(taken | {client})}


def jars():
    """The folder of Kafka's jars; OUTBOX_KAFKA_HOME names another, for instance a shared one."""
    return Path(os.environ.get("OUTBOX_KAFKA_HOME") or CHECKOUT / ".run" / "kafka")


def _class_path():
    return str(jars() / "*")


def fetch(announce):
    """Makes sure that the jars are there; without Maven Central it says so, with the remedy."""
    filled_by_hand = any(jars().glob("kafka_*.jar")) and not (jars() / "stamp").exists()
    if filled_by_hand:
        return
    command = [CHECKOUT / "ops" / "jars", CHECKOUT / "ops" / "kafka" / "pom.xml", jars()]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as fetching:
        line = ""
        for line in fetching.stderr:
            if "fetching" in line:
                announce("fetching Apache Kafka (54 MB) from Maven Central")
    if fetching.returncode != 0:
        raise ServiceError(f"no Kafka: {line.strip()} Or fill a folder with the jars by hand and "
                           "set OUTBOX_KAFKA_HOME to it.", fetching.returncode)
