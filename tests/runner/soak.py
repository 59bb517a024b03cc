"""The command line of `tests/soak`."""

import argparse
import sys
from datetime import datetime, timezone

from . import fault_table, session
from .build import BuildError
from .execute import Soak
from .suite import SuiteError

_DEFAULTS = {"OUTBOX_SOAK": "1", "OUTBOX_CRASH_ROUNDS": "200", "OUTBOX_SIM_SEEDS": "1000000"}
_OPTIONS = {"rounds": "OUTBOX_CRASH_ROUNDS", "minutes": "OUTBOX_SOAK_MINUTES",
            "seeds": "OUTBOX_SIM_SEEDS"}


class _Both:
    """Writes to the terminal and to the log."""

    def __init__(self, terminal, log):
        self._terminal = terminal
        self._log = log

    def write(self, text):
        self._terminal.write(text)
        self._log.write(text)

    def flush(self):
        self._terminal.flush()
        self._log.flush()

    def isatty(self):
        return False


def _count(text):
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is no number above 0")
    return text


def _parse():
    parser = argparse.ArgumentParser(
        prog="tests/soak", usage="%(prog)s [SUITE...] [--rounds N] [--minutes N] [--seeds N]\n"
        "       %(prog)s fresh [--keep]",
        description="The suites of tests/run at full counts, or the demo in a new Debian (fresh).",
        epilog="Logs and the fault table are under .run/soak/.")
    parser.add_argument("suites", nargs="*", metavar="SUITE")
    parser.add_argument("--rounds", type=_count, help="crash rounds (default 200)")
    parser.add_argument("--minutes", type=_count, help="length of the tests that run by time")
    parser.add_argument("--seeds", type=_count, help="simulation seeds (default 1000000)")
    return parser.parse_args()


def main():
    options = _parse()
    asked = {variable: getattr(options, name) for name, variable in _OPTIONS.items()
             if getattr(options, name)}
    results = session.RUN / "soak" / datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    try:
        chosen = session.parts_of(options.suites, soaking=True)
        if chosen is None:
            return 2
        results.mkdir(parents=True)
        with open(results / "soak.log", "w") as log:
            tallies, well = session.run(chosen, results, soak=Soak(_DEFAULTS, asked),
                                        out=_Both(sys.stdout, log))
    except (SuiteError, BuildError) as error:
        print(f"tests: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    table = results / "fault-table.md"
    table.write_text(fault_table.render(tallies))
    print(f"fault table: {table}", file=sys.stderr)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
