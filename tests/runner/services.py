"""The run's own Postgres and Kafka: fresh at the start, up before each suite that needs them."""

import os
import subprocess

from .suite import CHECKOUT

_COMMAND = CHECKOUT / "ops" / "services"


class ServicesError(Exception):
    """Why a service does not run."""


class Services:
    def __init__(self, folder):
        self.folder = folder
        self._used = False

    def up(self, names):
        """Starts what is needed and does not run; returns the environment that names it."""
        if not names:
            return {}
        if not self._used:
            self._used = True
            self._command("remove")
        for name in sorted(names):
            self._command("start", "--only", name)
        lines = self._command("env").splitlines()
        return {**dict(line.split("=", 1) for line in lines),
                "OUTBOX_SERVICES_DIR": os.fspath(self.folder)}

    def down(self):
        """Ends them; logs and data stay until the next run."""
        if self._used:
            self._command("stop")

    def _command(self, *arguments):
        done = subprocess.run([_COMMAND, *arguments, "--dir", self.folder], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise ServicesError(done.stderr.strip())
        return done.stdout
