"""Runs processes, a few at a time, and ends what does not end in time."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .suite import CHECKOUT

_LOOK_S = 0.02


@dataclass(frozen=True)
class Job:
    """A process that runs tests."""
    command: list
    env: dict     # on top of the lane's
    result: Path  # JUnit's XML
    log: Path


def run_jobs(jobs, lanes, timeout_s):
    """Runs them in their order, one in each lane at a time; a lane is an environment. For each job:
    empty if it ended well, else how it ended. Nothing that they started outlives their time."""
    deadline = time.monotonic() + timeout_s
    endings = [f"not started within {timeout_s} s, the time limit"] * len(jobs)
    waiting = list(enumerate(jobs))
    running = {}  # lane -> (number of the job, its process)
    try:
        while running or (waiting and time.monotonic() < deadline):
            for lane, env in enumerate(lanes):
                if waiting and lane not in running:
                    number, job = waiting.pop(0)
                    running[lane] = number, _start(job, env)
            time.sleep(_LOOK_S)
            late = time.monotonic() >= deadline
            for lane, (number, process) in list(running.items()):
                if process.poll() is not None or late:
                    endings[number] = _ending(process, timeout_s)
                    del running[lane]
    finally:
        for _, process in running.values():
            _kill(process)
    return endings


def _start(job, env):
    with open(job.log, "wb") as log:
        return subprocess.Popen(job.command, cwd=CHECKOUT, env={**env, **job.env},
                                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                start_new_session=True)


def _kill(process):
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _ending(process, timeout_s):
    if process.poll() is None:
        _kill(process)
        return f"ended after {timeout_s} s, its time limit"
    code = process.returncode
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"exit code {code}" if code else ""
