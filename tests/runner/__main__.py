"""The command line of `tests/run`."""

import argparse
import signal
import sys

from . import session
from .build import BuildError
from .suite import SuiteError


def main():
    parser = argparse.ArgumentParser(
        prog="tests/run", description="Installs, builds and runs the test suites.",
        epilog="The last line is `N passed, N failed`. Logs and JUnit XML are under .run/results.")
    parser.add_argument("suites", nargs="*", metavar="SUITE",
                        help="folders of tests/, asan or tsan")
    parser.add_argument("--list", action="store_true", help="print every test's name, run none")
    options = parser.parse_args()
    try:
        chosen = session.parts_of(options.suites)
        if chosen is None:
            return 2
        if options.list:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `--list | head` is no accident
            session.list_tests(chosen)
            return 0
        results = session.RUN / "results"
        _, well = session.run(chosen, results, whole=not options.suites)
        return 0 if well else 1
    except (SuiteError, BuildError) as error:
        print(f"tests: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
