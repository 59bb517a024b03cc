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

    def start(self, only=None, brokers=None):
        """Starts what does not run, with its data; returns when it answers."""
        self._run("start", *(["--only", only] if only else []),
                  *(["--brokers", str(brokers)] if brokers else []))

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
        os.kill(self.pid(service), signal.SIGSTOP)

    def resume(self, service):
        os.kill(self.pid(service), signal.SIGCONT)

    def send(self, service, number):
        """Another signal: SIGQUIT is Postgres's immediate shutdown, SIGINT its fast one."""
        os.kill(self.pid(service), number)

    def heal(self):
        """Lets go on what is paused and brings back what does not run."""
        for file in self.folder.glob("*.pid"):
            try:
                self.resume(file.stem)
            except ProcessLookupError:
                pass
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
