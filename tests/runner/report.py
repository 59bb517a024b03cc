"""What a person sees of a run: one line a suite, and each failure with where its log is."""

import os
import sys
from pathlib import Path

from .suite import CHECKOUT

_RED, _GREEN, _DIM, _PLAIN = "\033[31m", "\033[32m", "\033[2m", "\033[0m"


class Report:
    def __init__(self, out=sys.stdout):
        self._out = out
        self._colour = out.isatty() and not os.environ.get("NO_COLOR")
        self.passed = 0
        self.failed = 0

    def step(self, what, seconds):
        self._line(f"{what:<32}{seconds:>8.1f} s", _DIM)

    def suite(self, name, tally):
        failed = len(tally.failures)
        self.passed += tally.passed
        self.failed += failed
        self._line(f"{name:<14}{tally.passed:>6} passed {failed:>4} failed {tally.seconds:>8.1f} s",
                   _RED if failed else _GREEN)
        for case in tally.failures:
            where = f"  log: {_short(case.log)}" if case.log else ""
            self._line(f"  FAILED {case.name}: {case.problem}{where}", _RED)

    def close(self):
        """The last line; true if all is well."""
        print(f"{self.passed} passed, {self.failed} failed", file=self._out, flush=True)
        return self.failed == 0

    def _line(self, text, colour):
        print(f"{colour}{text}{_PLAIN}" if self._colour else text, file=self._out, flush=True)


def _short(path):
    path = Path(path)
    return path.relative_to(CHECKOUT) if path.is_relative_to(CHECKOUT) else path
