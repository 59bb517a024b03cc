"""`tests/run` itself: what did not pass must never count as passed."""

import pytest

from runner import fault_table
from runner.execute import Executor
from runner.services import Services
from runner.suite import Suite

XML = '<testsuites><testsuite name="A">{}</testsuite></testsuites>'
PASSED = '<testcase classname="A" name="Ok" status="run" result="completed"/>'
FAILED = '<testcase classname="A" name="Bad" status="run"><failure message="no"/></testcase>'


class Binaries:
    """A builder that has built shell scripts."""

    def __init__(self, *scripts):
        self._scripts = scripts

    def binary(self, preset="release"):
        return f"/nowhere/{preset}/outbox"

    def test_binaries(self, preset, patterns):
        return self._scripts


@pytest.fixture
def run(tmp_path):
    """Runs a suite of one binary that writes `result` and then does `then`."""
    def run(result=None, then="exit 0", timeout_s=20, shards=1):
        script = tmp_path / "outbox_fake"
        writes = f"cat > \"${{1#--gtest_output=xml:}}\" <<'XML'\n{result}\nXML\n" if result else ""
        script.write_text(f"#!/bin/bash\necho '[ RUN      ] A.Last'\n{writes}{then}\n")
        script.chmod(0o755)
        suite = Suite("fake", tmp_path, binaries=("outbox_fake",), timeout_s=timeout_s,
                      shards=shards)
        executor = Executor(Binaries(script), Services(tmp_path / "services"), tmp_path / "results")
        return executor.run([suite])
    return run


def problems(tally):
    return [f"{case.name}: {case.problem}" for case in tally.failures]


def test_passed_and_failed_tests_are_counted(run):
    tally = run(XML.format(PASSED + FAILED), then="exit 1")
    assert tally.passed == 1 and problems(tally) == ["A.Bad: failed"]


def test_a_skipped_or_disabled_test_is_a_failure(run):
    cases = ('<testcase name="S" status="run" result="skipped"><skipped/></testcase>'
             '<testcase name="D" status="notrun" result="suppressed"/>')
    tally = run(XML.format(cases))
    assert tally.passed == 0 and problems(tally) == ["S: did not run", "D: did not run"]


def test_a_crash_without_a_result_names_the_test_that_ran(run):
    assert problems(run(then="kill -ABRT $$")) == [
        "outbox_fake: no result, ended by SIGABRT, in A.Last"]


def test_a_result_that_is_cut_off_is_a_failure(run):
    assert problems(run("<testsuites><testsuite>")) == [
        "outbox_fake: no result, exit code 0, in A.Last"]


def test_a_bad_exit_code_that_no_test_explains_is_a_failure(run):
    tally = run(XML.format(PASSED), then="exit 23")
    assert tally.passed == 1 and problems(tally) == ["outbox_fake: exit code 23"]


def test_a_result_without_tests_is_a_failure(run):
    assert problems(run(XML.format(""))) == ["outbox_fake: ran no test"]


def test_the_time_limit_ends_a_binary_and_its_children(run):
    tally = run(then="sleep 30 & sleep 30", timeout_s=1)
    assert "ended after 1 s, its time limit" in problems(tally)[0] and tally.seconds < 10


def test_shards_run_side_by_side_and_their_tests_are_added_up(run):
    tally = run(XML.format(PASSED), then="sleep 0.$GTEST_SHARD_INDEX", shards=3)
    assert tally.passed == 3 and not tally.failures


def test_a_shard_that_crashes_or_does_not_end_is_a_failure_and_the_others_count(run):
    tally = run(XML.format(PASSED), then="[ $GTEST_SHARD_INDEX != 1 ] || kill -ABRT $$", shards=3)
    assert tally.passed == 3 and problems(tally) == ["outbox_fake: ended by SIGABRT"]
    tally = run(then="[ $GTEST_SHARD_INDEX = 2 ] && sleep 60", timeout_s=2, shards=3)
    assert len(tally.failures) == 3
    assert "outbox_fake: no result, ended after 2 s, its time limit, in A.Last" in problems(tally)


def test_a_shard_without_tests_is_no_failure_unless_all_are(run):
    only_first = f"[ $GTEST_SHARD_INDEX = 0 ] || echo '{XML.format('')}' > \"${{1#*xml:}}\""
    tally = run(XML.format(PASSED), then=only_first, shards=2)
    assert tally.passed == 1 and not tally.failures
    assert problems(run(XML.format(""), shards=2)) == ["outbox_fake: ran no test"]


def test_a_suite_without_anything_to_run_is_a_failure(tmp_path):
    executor = Executor(Binaries(), Services(tmp_path / "services"), tmp_path / "results")
    assert problems(executor.run([Suite("empty", tmp_path)])) == ["empty: ran no test"]


def test_the_fault_table_shows_held_failed_and_missing_rows(run):
    row = '<testcase name="T{}"><properties><property name="fault_row" value="{}"/></properties>{}'
    cases = (row.format(1, 7, "</testcase>") + row.format(2, "9, 11", "<failure/></testcase>"))
    table = fault_table.render({"crash": run(XML.format(cases), then="exit 1")})
    lines = {line.split("|")[1].strip(): line for line in table.splitlines()}
    assert "held (1)" in lines["7"] and "crash: T1" in lines["7"]
    assert "1 of 1 failed" in lines["9"] and "1 of 1 failed" in lines["11"]
    assert "not run" in lines["29"]
