"""Each rule finds what it is for: a check that cannot fail is a defect."""

import pytest

from rules import (banned, banned_in_tests, columns, file_length, function_length, layering,
                   unbuilt)


@pytest.mark.parametrize("path, include", [
    ("relay/core/event.h", "relay/flow/window.h"),
    ("relay/flow/router.cc", "connectors/kafka/kafka_sink.h"),
    ("connectors/kafka/sink.cc", "connectors/postgres/wal_source.h"),
    ("connectors/kafka/sink.cc", "relay/flow/window.h"),
    ("relay/app/pipeline_runner.cc", "connectors/kafka/kafka_sink.h"),
    ("relay/core/event.h", "event.h"),
])
def test_layering_refuses_an_include_from_the_wrong_side(path, include):
    assert list(layering(path, f'#include "{include}"\n'))


@pytest.mark.parametrize("path, include", [
    ("relay/flow/router.cc", "relay/core/event.h"),
    ("relay/app/wiring.cc", "connectors/kafka/kafka_sink.h"),
    ("relay/app/main.cc", "relay/app/cli/run.h"),
])
def test_layering_takes_an_include_from_the_right_side(path, include):
    assert not list(layering(path, f'#include "{include}"\n'))


@pytest.mark.parametrize("line", [
    "std::this_thread::sleep_for(1ms);",
    "const auto now = std::chrono::system_clock::now();",
    "exit(1);",
    "std::exit(1);",
    "thread.detach();",
    "auto* chunk = new Chunk(1);",
    "delete chunk;",
    "assert(x);",
    "int x = std::stoi(text);",
    "return 1;  // TODO later",
])
def test_banned_calls_are_found(line):
    assert list(banned("relay/flow/window.cc", line + "\n"))


def test_the_flow_may_not_read_the_clock_but_the_runner_may():
    line = "const auto now = std::chrono::steady_clock::now();\n"
    assert list(banned("relay/flow/window.cc", line))
    assert not list(banned("relay/app/pipeline_runner.cc", line))


@pytest.mark.parametrize("line", [
    "// never call exit() here",
    'error("exit(1) is for main");',
    "= delete;",
    "pthread_exit(nullptr);",
    "parser.exit(error);",
    "renew (lease);",
])
def test_words_in_comments_strings_and_other_names_are_not_calls(line):
    assert not list(banned("relay/flow/window.cc", line + "\n"))


@pytest.mark.parametrize("line", ["GTEST_SKIP();", "TEST(A, DISABLED_B) {}", "pytest.skip('no')",
                                  "EXPECT_TRUE(true);"])
def test_skipped_and_empty_tests_are_found(line):
    assert list(banned_in_tests("tests/unit/flow/a.cc", line))


def test_a_long_line_a_long_file_and_an_unbuilt_source_are_found():
    assert list(columns("a.cc", "x" * 101))
    assert not list(columns("a.cc", "x" * 100))
    assert list(file_length("a.cc", "\n" * 401))
    assert list(unbuilt("relay/core/lost.cc", "SRCS found.cc not_lost.cc"))
    assert not list(unbuilt("relay/core/found.cc", "SRCS found.cc"))


@pytest.mark.parametrize("head, indent", [
    ("void step() {", ""),
    ("  void step() {", "  "),
    ("Result<Next> Pipeline::step(Now now,\n                            Lease lease) {", ""),
    ("Pipeline::Pipeline(int a)\n    : a_(a) {", ""),
])
def test_a_function_over_70_lines_is_found_and_one_of_70_is_not(head, indent):
    for lines, found in ((80, True), (60, False)):
        text = head + "\n" + f"{indent}  work();\n" * lines + indent + "}\n"
        assert bool(list(function_length("a.cc", text))) == found
