"""Postgres and Kafka as things that a test may kill, pause and bring back."""

import os
import signal
import subprocess
import uuid
from pathlib import Path

from . import environment

_COMMAND = environment.CHECKOUT / "ops" / "services"


class Services:
    """The pair of the run (`Services()`), or one of a test's own (`with Services.private(…)`)."""

    def __init__(self, folder=None):
        self.folder = Path(folder or environment.services_folder())

    @classmethod
    def private(cls, folder=None):
        place = folder or environment.CHECKOUT / ".run" / f"services-{uuid.uuid4().hex[:8]}"
        return cls(place)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()
        subprocess.run(["rm", "-rf", self.folder], check=True)

    def start(self, only=None, brokers=None, kafka_settings=()):
        """Starts what does not run, with its data; returns when it answers."""
        self._run("start", *(["--only", only] if only else []),
                  *(["--brokers", str(brokers)] if brokers else []),
                  *(f"--kafka-setting={setting}" for setting in kafka_settings))

    def stop(self, only=None):
        self._run("stop", *(["--only", only] if only else []))

    def remove(self):
        """Ends them and deletes their data."""
        self._run("remove")

    def pid(self, service):
        """`service` is postgres or kafka-N."""
        return int((self.folder / f"{service}.pid").read_text())

    def kill(self, service):
        os.kill(self.pid(service), signal.SIGKILL)

    def pause(self, service):
        """All of it: Postgres is many processes, and the first is stopped before it can make
        more."""
        server = self.pid(service)
        _signal_all([server], signal.SIGSTOP)
        _signal_all(_children(server), signal.SIGSTOP)

    def resume(self, service):
        server = self.pid(service)
        _signal_all([*_children(server), server], signal.SIGCONT)

    def send(self, service, number):
        """Another signal: SIGQUIT is Postgres's immediate shutdown, SIGINT its fast one."""
        os.kill(self.pid(service), number)

    def heal(self):
        """Lets go on what is paused and brings back what does not run."""
        for file in self.folder.glob("*.pid"):
            self.resume(file.stem)
        self.start()

    def env(self):
        """{'DATABASE_URL': …, 'KAFKA_BOOTSTRAP': …}, as far as they were started."""
        return dict(line.split("=", 1) for line in self._run("env").splitlines())

    def _run(self, verb, *options):
        done = subprocess.run([_COMMAND, verb, "--dir", self.folder, *options],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"ops/services {verb}: {done.stderr}")
        return done.stdout


def _children(parent):
    """The pids of its child processes."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(stat.parent.name))
        except OSError:
            pass  # it ended in this moment
    return found


def _signal_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
