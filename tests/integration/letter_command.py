"""`outbox dead-letters` beside a running relay, as a person would type it."""

import json
import os
import subprocess

from outbox import outbox
from support import environment
from test_letters import LARGE, await_states


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


def publish_blocked(stage, key, behind):
    """Ids: a refused event, and those behind it."""
    return ([stage.shop.publish(key=key, payload=LARGE)]
            + [stage.shop.publish(key=key, payload=json.dumps({"n": n})) for n in range(behind)])


def fill(stage, keys, behind):
    """Ids by key, once all are parked."""
    ids = {f"k{key}": publish_blocked(stage, f"k{key}", behind) for key in range(keys)}
    await_states(stage, ["parked"] * keys * (behind + 1))
    return ids
