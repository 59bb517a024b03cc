"""The relay as a process of its own, with a config in a folder of its own."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from . import environment
from .waiting import wait_until

from service.port import free_port

TEMPLATE = """\
[admin]
listen = "127.0.0.1:{admin_port}"

[source.shop]
type = "postgres"
url = "${{DATABASE_URL}}"
mode = "{mode}"
slot = "{slot}"
publication = "{publication}"
table = "outbox.event"

[sink.kafka]
type = "kafka"
bootstrap_servers = "${{KAFKA_BOOTSTRAP}}"
properties = {{ {properties} }}

[[pipeline]]
name = "{pipeline}"
source = "shop"
sink = "kafka"
"""
ROUTE = """
[[pipeline.route]]
match = {{ aggregate_type = "{aggregate_type}" }}
topic = "{topic}"
on_failure = "{on_failure}"
"""


class Relay:
    """`with Relay(folder, database.url, topic=…) as relay:` runs until the block ends.

    `config` replaces the whole text of the config; otherwise it is made of TEMPLATE and one ROUTE.
    Its output is in `log_file`, one file over all restarts. `own_session` keeps a terminal's Ctrl-C
    away from it; it still ends with the process that started it.
    """

    def __init__(self, folder, database_url, topic=None, aggregate_type="order",
                 on_failure="dead-letter", pipeline="orders", slot=None, properties="",
                 bootstrap=None, binary=None, config=None, environ=None, admin_port=None,
                 own_session=False, options=(), mode="wal"):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.admin_port = admin_port or free_port()
        self.slot = slot or f"outbox_{os.getpid()}_{self.admin_port}"
        self.pipeline = pipeline
        self.config_file = self.folder / "relay.toml"
        self.log_file = self.folder / "relay.log"
        self.process = None
        self._binary = binary or environment.outbox_bin()
        self._own_session = own_session
        self._options = list(options)
        self._environ = {**os.environ, "DATABASE_URL": database_url,
                         "KAFKA_BOOTSTRAP": bootstrap or environment.kafka_bootstrap(),
                         **(environ or {})}
        text = config or TEMPLATE.format(
            admin_port=self.admin_port, mode=mode, slot=self.slot, publication=self.slot,
            properties=properties, pipeline=pipeline)
        if topic and config is None:
            text += ROUTE.format(aggregate_type=aggregate_type, topic=topic, on_failure=on_failure)
        self.config_file.write_text(text)

    def __enter__(self):
        self.start()
        self.wait_ready()
        return self

    def __exit__(self, failure, *_):
        if self.running():
            self.resume()
            if self.stop() != 0 and failure is None:
                raise AssertionError(f"the relay ended badly:\n{self.log_tail()}")
        if failure is not None:
            print(f"--- {self.log_file}\n{self.log_tail()}", file=sys.stderr)

    def start(self, **environ):
        """Starts it and does not wait. `environ` is for this start only."""
        guard = ["setpriv", "--pdeathsig", "TERM"] if self._own_session else []
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [*guard, self._binary, "run", "--config", self.config_file, *self._options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**self._environ, **environ}, start_new_session=self._own_session)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def wait_ready(self, patience_s=30.0):
        def ready():
            if not self.running():
                return True
            return self.get("/readyz") is not None
        wait_until(ready, "the relay is ready", patience_s)
        assert self.running(), f"the relay ended with {self.process.returncode}:\n{self.log_tail()}"

    def stop(self, patience_s=30.0):
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(patience_s)

    def kill(self):
        """SIGKILL, as a crash would."""
        self.process.kill()
        self.process.wait()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def wait(self, patience_s=30.0):
        """The exit code, once it ended; a relay that does not end is killed and a failure."""
        try:
            return self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the relay did not end within {patience_s:g} s:\n"
                                 f"{self.log_tail()}") from None

    def command(self, *arguments):
        """Another command of the binary with the same config, such as `status`."""
        return subprocess.run([self._binary, *arguments, "--config", self.config_file],
                              env=self._environ, capture_output=True, text=True)

    def get(self, path):
        """The text of an admin page; an HTTP error or no answer raises."""
        url = f"http://127.0.0.1:{self.admin_port}{path}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()

    def metrics(self):
        """The samples of /metrics: {'name{labels}': value}."""
        lines = self.get("/metrics").splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    @property
    def environ(self):
        """The environment of the process."""
        return dict(self._environ)

    def statuses(self):
        """What /status says of each pipeline, in the order of the config."""
        return json.loads(self.get("/status"))["pipelines"]

    def status(self):
        """What /status says of the first pipeline, mostly the only one."""
        return self.statuses()[0]

    def resident_mb(self):
        return self._memory_mb("VmRSS")

    def peak_mb(self):
        """The most that was ever resident."""
        return self._memory_mb("VmHWM")

    def _memory_mb(self, name):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines()
                    if line.startswith(name + ":")) / 1024

    def log_tail(self, lines=30):
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])
