"""ops/runbooks/dead-letters.md: its commands are run in their order, and print what it says."""

import re
import shlex

from letter_command import publish_blocked
from support.environment import CHECKOUT
from support.topic import configure_topic
from support.waiting import wait_until
from test_letters import await_states, stage_of

_BEFORE = "outbox dead-letters: job "  # is told before what becomes of the job
_RUNBOOK = CHECKOUT / "ops" / "runbooks" / "dead-letters.md"


def steps():
    """[(command, the lines that it prints)]"""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", _RUNBOOK.read_text(), re.M | re.S):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


class Terminal:
    """Runs what the runbook types; names are the runbook's."""

    def __init__(self, stage):
        self._stage = stage
        self._code = 0

    def run(self, command):
        words = shlex.split(command)
        if words[0] == "kafka-configs.sh":
            size = words[-1].removeprefix("max.message.bytes=")
            configure_topic(self._stage.topic, max_message_bytes=size)
            return "Completed updating config for topic order.events."
        if words == ["echo", "$?"]:
            return str(self._code)
        at = words.index("--config")
        assert words[0] == "outbox" and words[at + 1] == "relay.toml", command
        done = self._stage.relay.command(*words[1:at], *words[at + 2:])
        self._code = done.returncode
        # A terminal shows both as they come; two pipes do not tell which came first.
        printed = [self._named(one) for one in (done.stdout, done.stderr) if one]
        return "".join(reversed(printed) if done.stderr.startswith(_BEFORE) else printed)

    def _named(self, text):
        return text.replace(self._stage.topic, "order.events").replace(self._stage.pipeline,
                                                                       "orders")


def as_told(printed, lines):
    """Columns are as wide as the names in them, so blanks count as one."""
    told = "\n".join(" ".join(line.split()) for line in lines)
    seen = "\n".join(" ".join(line.split()) for line in printed.splitlines() if line.strip())
    pattern = ".*?".join(re.escape(part) for part in told.split("…"))
    return re.fullmatch(pattern, seen, re.S) is not None


def test_the_runbook_of_dead_letters_does_and_prints_what_it_says(tmp_path):
    with stage_of(tmp_path, "park") as stage:
        for key in ("order-4701", "order-4702", "order-4703"):
            publish_blocked(stage, key, 2)
        await_states(stage, ["parked"] * 9)
        terminal = Terminal(stage)
        for command, lines in steps():
            if command.startswith("outbox verify"):  # what is settled is proven a moment later
                wait_until(lambda: "9 rows" in terminal.run(command), "all is proven")
            printed = terminal.run(command)
            assert as_told(printed, lines), f"$ {command}\n{printed}"
        assert stage.database.value("select count(*) from outbox.lane") == 0
