"""A broker of a test's own that asks for TLS and SASL, beside a plain listener for the test."""

import signal
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from service.kafka import jars
from service.port import free_port
from service.process import Daemon
from support.environment import CHECKOUT
from support.topic import topic_names
from support.waiting import wait_until

_JAVA = ["java", "-Xms128m", "-Xmx384m", "-XX:TieredStopAtLevel=1", "-cp", f"{jars()}/*"]
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"


class SecureKafka:
    """Listeners: `plain` (no security, for the test itself), `secure` (TLS and SASL: PLAIN or
    SCRAM-SHA-512, which `users` may log in by), `mutual` (TLS with client certificates)."""

    def __init__(self, folder, certificate, key, clients_ca, users):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self._users = dict(users)
        self._clients_ca = clients_ca
        self._ports = []
        while len(self._ports) < 4:
            self._ports.append(free_port(self._ports))
        self._keystore = self.folder / "keystore.pem"
        self._keystore.write_text(_pkcs8(key) + Path(certificate).read_text())
        self._config = self.folder / "broker.properties"
        self._daemon = Daemon("secure-kafka", self.folder / "broker.pid",
                              self.folder / "broker.log", self._config)

    @property
    def plain(self):
        return f"127.0.0.1:{self._ports[0]}"

    @property
    def secure(self):
        return f"localhost:{self._ports[1]}"

    @property
    def mutual(self):
        return f"localhost:{self._ports[2]}"

    def __enter__(self):
        self._config.write_text(self._text())
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        scram = [option for name, password in self._users.items() for option in
                 ("--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]")]
        self._tool("kafka.tools.StorageTool", "format", "-t", cluster, "-c", self._config, *scram)
        self.start()
        return self

    def __exit__(self, *_):
        self._daemon.stop()

    def start(self):
        log4j = CHECKOUT / "ops" / "kafka" / "log4j2.properties"
        self._daemon.spawn([*_JAVA, f"-Dlog4j2.configurationFile={log4j}", "kafka.Kafka",
                            str(self._config)])
        wait_until(lambda: topic_names(self.plain) is not None, "the secure broker answers", 60)

    def set_password(self, user, password):
        """For PLAIN. The broker reads its users at its start."""
        self._users[user] = password
        self._config.write_text(self._text())
        self._daemon.stop((signal.SIGTERM, 15))
        self.start()

    def _plain_login(self):
        users = " ".join(f'user_{name}="{password}"' for name, password in self._users.items())
        return f"{_PLAIN} required {users};"

    def _tool(self, name, *arguments):
        done = subprocess.run([*_JAVA, name, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{name}: {done.stdout}{done.stderr}")

    def _text(self):
        plain, secure, mutual, controller = self._ports
        here = "127.0.0.1"
        listeners = (f"PLAIN://{here}:{plain},SECURE://{here}:{secure},MUTUAL://{here}:{mutual},"
                     f"CONTROLLER://{here}:{controller}")
        return f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{here}:{controller}
controller.listener.names=CONTROLLER
listeners={listeners}
advertised.listeners=PLAIN://{here}:{plain},SECURE://localhost:{secure},MUTUAL://localhost:{mutual}
listener.security.protocol.map=PLAIN:PLAINTEXT,SECURE:SASL_SSL,MUTUAL:SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAIN
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.secure.scram-sha-512.sasl.jaas.config={_SCRAM} required;
listener.name.secure.plain.sasl.jaas.config={self._plain_login()}
ssl.keystore.type=PEM
ssl.keystore.location={self._keystore}
ssl.truststore.type=PEM
ssl.truststore.location={self._clients_ca}
listener.name.mutual.ssl.client.auth=required
log.dirs={self.folder / "data"}
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""


def _pkcs8(key):
    return subprocess.run(["openssl", "pkcs8", "-topk8", "-nocrypt", "-in", key],
                          capture_output=True, text=True, check=True).stdout
