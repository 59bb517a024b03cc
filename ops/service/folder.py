"""Where one pair of services keeps everything. Nothing lies outside, with one exception that
`postgres` explains."""

import fcntl
import re
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
DEFAULT = CHECKOUT / ".run" / "services"


class Folder:
    def __init__(self, path):
        self.path = Path(path).resolve()

    def file(self, name):
        return self.path / name

    def read(self, name):
        """A small file's text, or None when there is none."""
        try:
            return self.file(name).read_text().strip()
        except FileNotFoundError:
            return None

    def write(self, name, text, mode=0o644):
        file = self.file(name)
        file.touch(mode=mode)
        file.write_text(text + "\n")

    def has_postgres(self):
        """False while it was never made, or when that was interrupted: the URL comes last."""
        return self.file("postgres.url").exists()

    def brokers(self):
        """The numbers of the brokers whose storage was made here."""
        names = (file.parent.name for file in self.path.glob("kafka-*/meta.properties"))
        return sorted(int(m[1]) for m in (re.fullmatch(r"kafka-(\d+)", n) for n in names) if m)

    @contextmanager
    def locked(self):
        """One command at a time changes a folder."""
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.file("lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
