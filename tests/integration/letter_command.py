"""`outbox dead-letters` beside a running relay, as a person would type it."""

import json
import os
import subprocess

from outbox import outbox
from support import environment


class LetterCommand:
    """`letters("list", "--all")` runs it to its end. `url`: of another login or server."""

    def __init__(self, stage, url=None):
        self.config_file = stage.relay.config_file
        self._url = url or stage.database.url

    def __call__(self, *arguments, **environ):
        return outbox("dead-letters", *arguments, "--config", self.config_file,
                      **{"DATABASE_URL": self._url, **environ})

    def json(self, *arguments):
        """The data of a run that ended well."""
        done = self(*arguments, "-o", "json")
        assert done.code == 0, done
        return json.loads(done.out)

    def start(self, *arguments, stdout=subprocess.PIPE):
        """A process with pipes, to be interrupted."""
        return subprocess.Popen(
            [environment.outbox_bin(), "dead-letters", *arguments, "--config", self.config_file],
            env={**os.environ, "DATABASE_URL": self._url}, stdin=subprocess.DEVNULL,
            stdout=stdout, stderr=subprocess.PIPE, text=True)
