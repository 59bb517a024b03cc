"""The run's own Postgres and Kafka: fresh at the start, up before each suite that needs them.
A suite whose files run side by side has a pair for each lane, so that what one file kills is not
missed by another."""

import os
import subprocess

from .suite import CHECKOUT

_COMMAND = CHECKOUT / "ops" / "services"


class ServicesError(Exception):
    """Why a service does not run."""


class Services:
    def __init__(self, folder):
        self._folder = folder
        self._used = set()

    def up(self, names, lane=0):
        """Starts what is needed and does not run; returns the environment that names it."""
        if not names:
            return {}
        folder = self._folder.with_name(f"{self._folder.name}-{lane}") if lane else self._folder
        if folder not in self._used:
            self._used.add(folder)
            _command("remove", folder)
        for name in sorted(names):
            _command("start", folder, "--only", name)
        lines = _command("env", folder).splitlines()
        return {**dict(line.split("=", 1) for line in lines),
                "OUTBOX_SERVICES_DIR": os.fspath(folder)}

    def down(self):
        """Ends them; logs and data stay until the next run."""
        for folder in self._used:
            _command("stop", folder)


def _command(verb, folder, *options):
    done = subprocess.run([_COMMAND, verb, "--dir", folder, *options], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise ServicesError(done.stderr.strip())
    return done.stdout
