"""What a round is made of: a start of the relay with a way to die, and the wait for its death."""

import random
import re
import signal
import time
from dataclasses import dataclass, field
from statistics import median

from support import environment
from support.waiting import wait_until

_FAILPOINTS = environment.CHECKOUT / "relay" / "core" / "failpoint.h"
_DEATH_PATIENCE_S = 120.0
RESUME_MS = 2000


def failpoints():
    """The names, from the one file that has them."""
    body = re.search(r"enum class Failpoint[^{]*\{(.*?)\};", _FAILPOINTS.read_text(), re.S)[1]
    return re.findall(r"^\s*(\w+),", body, re.M)


def rounds_of(share):
    """How many of OUTBOX_CRASH_ROUNDS a test with `share` of 40 runs, at least one."""
    return max(1, round(environment.count("OUTBOX_CRASH_ROUNDS", 40) * share / 40))


@dataclass
class Tally:
    """The rounds of one kind."""
    kind: str
    rounds: int = 0
    events: int = 0
    duplicates: int = 0
    resumed_ms: list = field(default_factory=list)

    HEADING = (f"{'kind':<34}{'rounds':>7}{'events':>10}{'duplicates':>11}"
               f"{'resume ms: median':>19}{'most':>7}{'of':>5}")

    def note(self, findings):
        self.events += findings.committed
        self.duplicates += findings.duplicates

    def __str__(self):
        times = (f"{median(self.resumed_ms):>19.0f}{max(self.resumed_ms):>7.0f}"
                 f"{len(self.resumed_ms):>5}" if self.resumed_ms else f"{'-':>19}{'-':>7}{'0':>5}")
        return f"{self.kind:<34}{self.rounds:>7}{self.events:>10}{self.duplicates:>11}{times}"

    @classmethod
    def total(cls, tallies):
        return cls("all", sum(t.rounds for t in tallies), sum(t.events for t in tallies),
                   sum(t.duplicates for t in tallies), [ms for t in tallies for ms in t.resumed_ms])


def resume(stage, tally, **environ):
    """Starts the relay again. Waits for a new event, or for the relay's death when it is armed."""
    stage.mark()
    since_ms = int(time.time() * 1000)
    stage.arrivals.await_new(since_ms)
    stage.relay.start(**environ)
    wait_until(lambda: stage.watcher.check() or stage.arrivals.first_new_ms
               or not stage.relay.running(), "a new event after the restart")
    if stage.arrivals.first_new_ms:
        tally.resumed_ms.append(stage.arrivals.first_new_ms - since_ms)


def resume_armed(stage, tally, name, hit):
    """The same, but it will die at the `hit`th time that it comes to the failpoint."""
    resume(stage, tally, OUTBOX_FAILPOINT=f"{name}:{hit}")


def start_armed(stage, name, hit):
    """The same where nothing new may come before something is done."""
    stage.mark()
    stage.relay.start(OUTBOX_FAILPOINT=f"{name}:{hit}")


def kill(stage, tally):
    stage.relay.kill()
    tally.rounds += 1


def wait_killed(stage, tally):
    """The relay must die, and by SIGKILL: a round in which the failpoint is not met shows nothing,
    and any other end is a crash of its own."""
    code = stage.relay.wait(_DEATH_PATIENCE_S)
    assert code == -signal.SIGKILL, f"the relay ended with {code}:\n{stage.relay.log_tail()}"
    tally.rounds += 1


def nap(draw, least_s, most_s):
    time.sleep(draw.uniform(least_s, most_s))


def draw_for(name):
    """Random, and the same in each run."""
    return random.Random(f"crash/{name}")
