"""Runs one suite: its GoogleTest binaries, then its Python tests."""

import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field, replace
from xml.etree.ElementTree import ParseError

from . import junit
from .build import BuildError
from .jobs import Job, run_jobs
from .services import ServicesError
from .suite import CHECKOUT

_SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "second_deadlock_stack=1",
}


@dataclass(frozen=True)
class Soak:
    """What is different when the counts are full and time does not matter."""
    defaults: dict = field(default_factory=dict)  # environment that a suite may override
    asked: dict = field(default_factory=dict)     # environment that a person asked for: wins
    timeout_s: int = 24 * 3600


class Executor:
    def __init__(self, builder, services, results, soak=None):
        self._builder = builder
        self._services = services
        self._results = results
        self._soak = soak

    def run(self, parts):
        """A suite is one part; `asan` and `tsan` have one for each suite they run again."""
        tally = junit.Tally()
        started = time.monotonic()
        folder = self._results / parts[0].name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for part in parts:
            try:
                self._run_part(part, folder, tally)
            except (BuildError, ServicesError) as error:
                tally.fail(part.name, str(error))
        if not tally.cases:
            tally.fail(parts[0].name, "ran no test", folder)
        tally.seconds = time.monotonic() - started
        return tally

    def list(self, part):
        """The names of a suite's tests. Sanitized ones are the same: nothing is built for them."""
        part = replace(part, preset="release", also_presets=(), targets=())
        names = []
        for binary in self._binaries(part):
            listed = subprocess.run([binary, "--gtest_list_tests"], cwd=CHECKOUT,
                                    capture_output=True, text=True, check=True).stdout
            names += _gtest_names(listed)
        if part.python:
            listed = subprocess.run([*_pytest(part.folder), "--collect-only", "-q"], cwd=CHECKOUT,
                                    capture_output=True, text=True)
            if listed.returncode != 0:
                raise BuildError(listed.stdout.strip())
            prefix = f"{part.name}/"
            names += [line.removeprefix(prefix) for line in listed.stdout.splitlines()
                      if "::" in line]
        return names

    def _run_part(self, part, folder, tally):
        binaries = self._binaries(part)
        timeout_s = self._soak.timeout_s if self._soak else part.timeout_s
        lanes = 1 if self._soak else part.lanes  # whole counts are judged on a quiet machine
        envs = [self._environment(part, lane) for lane in range(lanes)]
        for binary in binaries:
            jobs = [_shard(binary, number, part.shards, folder)
                    for number in range(part.shards)]
            self._record(tally, binary.name, jobs, [envs[0]] * part.shards, timeout_s)
        if part.python:
            options = ["--timeout=0"] if self._soak else []
            (folder / "tmp").mkdir()
            what = [part.folder] if lanes == 1 else _largest_first(part.folder)
            jobs = [_pytest_job(path, folder, options) for path in what]
            self._record(tally, "pytest", jobs, envs, timeout_s)

    def _binaries(self, part):
        if part.targets:
            self._builder.build("release", part.targets)
        for preset in part.also_presets:
            self._builder.build(preset, ["outbox"])
        return self._builder.test_binaries(part.preset, part.binaries) if part.binaries else []

    def _environment(self, part, lane):
        env = {**os.environ, **_SANITIZER_ENV, **self._services.up(part.services, lane),
               "OUTBOX_BIN": os.fspath(self._builder.binary()),
               "OUTBOX_CRASH_BIN": os.fspath(self._builder.binary("crash"))}
        if self._soak is None:
            return {**env, **part.env}
        return {**env, **self._soak.defaults, **part.env, **part.soak_env, **self._soak.asked}

    def _record(self, tally, name, jobs, lanes, timeout_s):
        ran = 0
        for job, ending in zip(jobs, run_jobs(jobs, lanes, timeout_s)):
            try:
                cases = junit.read(job.result, job.log)
            except (OSError, ParseError):
                ending = ending or "exit code 0"
                tally.fail(name, f"no result, {ending}{_last_started(job.log)}", job.log)
                ran += 1
                continue
            tally.cases += cases
            ran += len(cases)
            if ending and not any(case.problem for case in cases):
                tally.fail(name, ending, job.log)
        if not ran:
            tally.fail(name, "ran no test", jobs[0].log)


def _pytest(what):
    return ["/usr/bin/python3", "-m", "pytest", what]


def _largest_first(folder):
    """A long file begun last would run alone at the end."""
    return sorted(folder.glob("test_*.py"), key=lambda file: -file.stat().st_size)


def _pytest_job(path, folder, options):
    name = f"pytest-{path.stem}" if path.is_file() else "pytest"
    result = folder / f"{name}.xml"
    return Job([*_pytest(path), f"--junitxml={result}", f"--basetemp={folder / 'tmp' / name}",
                *options], {}, result, folder / f"{name}.log")


def _shard(binary, number, shards, folder):
    """GoogleTest's own way to share the tests of a binary among processes."""
    name = binary.name if shards == 1 else f"{binary.name}-{number + 1}"
    result = folder / f"{name}.xml"
    return Job([binary, f"--gtest_output=xml:{result}"],
               {"GTEST_TOTAL_SHARDS": str(shards), "GTEST_SHARD_INDEX": str(number)},
               result, folder / f"{name}.log")


def _last_started(log):
    """The GoogleTest case that a crash or a time limit ended."""
    started = [line for line in log.read_text(errors="replace").splitlines()
               if line.startswith("[ RUN      ] ")]
    return f", in {started[-1][13:]}" if started else ""


def _gtest_names(listed):
    names = []
    group = ""
    for line in listed.splitlines():
        text = line.split("  #")[0].rstrip()
        if text.endswith(".") and not text.startswith(" "):
            group = text
        elif text.startswith("  "):
            names.append(group + text.strip())
    return names
