"""One run of suites, from the choice of names to the last line."""

import fcntl
import sys
from contextlib import contextmanager

from .build import BuildError, Builder
from .execute import Executor
from .junit import Tally
from .report import Report
from .services import Services
from .suite import CHECKOUT, SANITIZERS, discover

RUN = CHECKOUT / ".run"


def parts_of(names, soaking=False):
    """{suite: its parts} in the order in which they run; None if a name is unknown."""
    suites = discover()
    known = [*suites, *SANITIZERS]
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"tests: no suite '{unknown[0]}'. There are: {' '.join(known)}", file=sys.stderr)
        return None
    chosen = {}
    for name in known:
        if name not in (names or known):
            continue
        if name in SANITIZERS:
            chosen[name] = [s.sanitized(name) for s in suites.values() if s.sanitize]
        elif names or soaking or not suites[name].soak_only:
            chosen[name] = [suites[name]]
    return {name: parts for name, parts in chosen.items() if parts}


def run(chosen, results, whole=False, soak=None, out=sys.stdout):
    """Runs the chosen suites; {suite: tally} and whether all is well."""
    report = Report(out)
    results.mkdir(parents=True, exist_ok=True)
    services = Services(RUN / "test-services")
    with _alone():
        builder = Builder(results, report.step)
        executor = Executor(builder, services, results, soak)
        tallies = {}
        try:
            if whole:
                _build_everything(builder, report)
            for name, parts in chosen.items():
                tallies[name] = executor.run(parts)
                report.suite(name, tallies[name])
        finally:
            services.down()
    return tallies, report.close()


def list_tests(chosen):
    results = RUN / "results"
    results.mkdir(parents=True, exist_ok=True)
    with _alone():
        executor = Executor(Builder(results, lambda *_: None), Services(results), results)
        for name, parts in chosen.items():
            for part in parts:
                for test in executor.list(part):
                    print(f"{name}/{test}")


def _build_everything(builder, report):
    """A target that no suite runs must build too."""
    try:
        builder.build("release", [])
    except BuildError as error:
        tally = Tally()
        tally.fail("build", str(error))
        report.suite("build", tally)


@contextmanager
def _alone():
    """One run at a time in a checkout: they share build folders and services."""
    RUN.mkdir(exist_ok=True)
    with open(RUN / "tests.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("tests: waiting for another run in this checkout", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
