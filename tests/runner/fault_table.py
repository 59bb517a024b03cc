"""The fault table: which tests showed which row of the fault matrix, as Markdown."""

from collections import defaultdict

# The rows that this release promises. Others appear when a test names them.
FAULTS = {
    1: "relay killed by SIGKILL anywhere",
    4: "SIGTERM under load",
    6: "Postgres crashes while a business transaction or our own commits",
    7: "Postgres restarts, the walsender is ended",
    9: "connections reset, the stream cut in the middle of a message",
    11: "sink stalled for long while the database is busy",
    19: "idle outbox database beside a busy one",
    20: "very large transaction with aborted subtransactions",
    23: "tables and publications altered in mid-stream",
    24: "outbox full of dead rows, cleanup while sending",
    25: "leading broker killed, rolling restart",
    28: "broker paused past its time limits",
    29: "producer turns fatal",
}


def render(tallies):
    tests = defaultdict(list)
    for suite, tally in tallies.items():
        for case in tally.cases:
            for row in case.rows:
                tests[int(row)].append((suite, case))
    lines = ["| row | fault | result | shown by |", "|---|---|---|---|"]
    for row in sorted(FAULTS.keys() | tests.keys()):
        names = ", ".join(f"{suite}: {case.name}" for suite, case in tests[row])
        lines.append(f"| {row} | {FAULTS.get(row, '')} | {_result(tests[row])} | {names} |")
    return "\n".join(lines) + "\n"


def _result(shown):
    if not shown:
        return "not run"
    failed = [case for _, case in shown if case.problem]
    return f"{len(failed)} of {len(shown)} failed" if failed else f"held ({len(shown)})"
