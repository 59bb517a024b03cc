"""The rounds of all tests together, as a table at the end."""

import pytest

from rounds import Tally

_TALLIES = []


@pytest.fixture
def tally(request):
    """Where a test notes its rounds."""
    tally = Tally(request.node.callspec.id if hasattr(request.node, "callspec")
                  else request.node.name.removeprefix("test_"))
    _TALLIES.append(tally)
    return tally


def pytest_terminal_summary(terminalreporter):
    if not _TALLIES:
        return
    terminalreporter.section("crash rounds")
    terminalreporter.line(Tally.HEADING)
    for tally in _TALLIES:
        terminalreporter.line(str(tally))
    terminalreporter.line(str(Tally.total(_TALLIES)))
