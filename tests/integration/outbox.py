"""The binary as a command: what it prints, where, and its exit code."""

import json
import os
import socket
import subprocess
import threading
from dataclasses import dataclass

from support import environment


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


def outbox(*arguments, patience_s=60, stdin=subprocess.DEVNULL, **environ):
    """Runs it to its end. `environ`: variables to set; None takes one away."""
    env = {name: value for name, value in {**os.environ, **environ}.items() if value is not None}
    done = subprocess.run([environment.outbox_bin(), *map(str, arguments)], env=env,
                          capture_output=True, text=True, timeout=patience_s, stdin=stdin)
    return Done(done.returncode, done.stdout, done.stderr)


def findings_of(relay):
    """What `doctor` says of the source of the relay's config: {code: (level, what, remedy)}."""
    done = relay.command("doctor", "-o", "json")
    found = {}
    for one in json.loads(done.stdout):
        code, _, what = one["what"].partition(": ")
        if "source" in one["subject"]:
            found[code] = (one["level"], what, one["fix"])
    return found


class Trap:
    """Listens where a server might be, and counts who calls: "touches nothing" leaves it at 0."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.callers = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.callers += 1
            connection.close()
