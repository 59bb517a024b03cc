"""A server process that outlives the command that started it, found again by its pid file.

The pid file alone is never believed: the process must also carry the folder's own path in its
command line, so that a pid given to a stranger after a crash is neither reported nor killed.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

from .error import ServiceError


class Daemon:
    """One server: its pid file, its log, and the word in its command line that proves it ours."""

    def __init__(self, name, pid_file, log_file, fingerprint):
        self.name = name
        self.pid_file = Path(pid_file)
        self.log_file = Path(log_file)
        self._fingerprint = os.fsencode(str(fingerprint))

    def pid(self):
        """The pid of the running server, or None."""
        pid = self._recorded_pid()
        if pid is None or _is_dying(pid):
            return None
        return pid if self._fingerprint in _arguments(pid) else None

    def wait_for_its_end(self, patience_s=10):
        """A server killed a moment ago holds its port until the kernel is done with it."""
        pid = self._recorded_pid()
        if pid is not None:
            wait_until(lambda: not _is_dying(pid), patience_s, pause_s=0.01)

    def _recorded_pid(self):
        try:
            return int(self.pid_file.read_text())
        except (OSError, ValueError):
            return None

    def spawn(self, command, **popen_options):
        """Starts the server in a session of its own, its output appended to the log."""
        self.wait_for_its_end()
        with open(self.log_file, "ab") as log:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, cwd="/", **popen_options)
        self.pid_file.write_text(f"{child.pid}\n")
        return child

    def log_size(self):
        return self.log_file.stat().st_size if self.log_file.exists() else 0

    def log_since(self, offset):
        with open(self.log_file, "rb") as log:
            log.seek(offset)
            return log.read().decode(errors="replace")

    def send(self, signal_number):
        pid = self.pid()
        if pid is not None:
            _send(pid, signal_number)
            # A server that was paused hears nothing before it goes on.
            _send(pid, signal.SIGCONT)

    def stop(self, *steps):
        """Sends each (signal, seconds to wait) until the server is gone; SIGKILL is the last.

        True if it ran before."""
        pid = self.pid()
        if pid is not None:
            for signal_number, patience_s in (*steps, (signal.SIGKILL, 10)):
                self.send(signal_number)
                if wait_until(lambda: self.pid() is None, patience_s):
                    break
            else:
                raise ServiceError(f"{self.name} (pid {pid}) does not end, not even by SIGKILL")
        self.wait_for_its_end()
        self.pid_file.unlink(missing_ok=True)
        return pid is not None


def _arguments(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def _is_dying(pid):
    """Killed, but not wholly gone: SIGKILL is pending, its memory is away, or only its first thread
    has ended. A zombie without threads holds nothing and counts as gone."""
    try:
        status = dict(line.split(":\t", 1) for line in
                      Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
        threads = len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return False
    if status["State"].startswith(("Z", "X")):
        return threads > 1
    pending = int(status["SigPnd"], 16) | int(status["ShdPnd"], 16)
    return bool(pending & 1 << signal.SIGKILL - 1) or _arguments(pid) in ([], [b""])


def _send(pid, signal_number):
    try:
        os.kill(pid, signal_number)
    except ProcessLookupError:
        pass


def wait_until(condition, patience_s, pause_s=0.05):
    """True as soon as the condition holds, False when the patience is over."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause_s)
    return True
