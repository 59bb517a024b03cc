"""The command line: suggestions, exit codes, stdout and stderr, terminals (CONTRACT; 6b)."""

import json
import os
import pty
import re
import subprocess
import time

import pytest

import config_text
from outbox import Trap, outbox
from service.port import free_port
from support import environment
from support.environment import CHECKOUT

VERBS = ["run", "check", "doctor", "schema", "status", "verify"]


@pytest.mark.parametrize("typed, meant", [
    ("rnu", "run"), ("chek", "check"), ("docter", "doctor"), ("shema", "schema"),
    ("stauts", "status")])
def test_an_unknown_command_draws_a_suggestion_and_exit_2(typed, meant):
    done = outbox(typed, "--config", "x")
    assert (done.code, done.out) == (2, "")
    assert f'unknown command "{typed}"' in done.err and f'Did you mean "{meant}"?' in done.err


@pytest.mark.parametrize("arguments, typed, meant", [
    (("check", "--confg", "x"), "--confg", "--config"),
    (("run", "--config", "x", "--log-levl", "info"), "--log-levl", "--log-level"),
    (("status", "--config", "x", "--wacth"), "--wacth", "--watch"),
    (("schema", "plan", "--databse", "x"), "--databse", "--database")])
def test_an_unknown_flag_draws_a_suggestion_and_exit_2(arguments, typed, meant):
    done = outbox(*arguments)
    assert (done.code, done.out) == (2, "")
    assert f'"{typed}"' in done.err and f'"{meant}"' in done.err


def test_an_unknown_command_of_schema_draws_a_suggestion():
    done = outbox("schema", "aply")
    assert done.code == 2 and 'Did you mean "apply"?' in done.err


@pytest.mark.parametrize("arguments", [(), ("run",), ("check",), ("schema",), ("run", "--config"),
                                       ("status", "-o", "xml"), ("check", "--config", "a", "b")])
def test_a_wrong_command_line_says_what_is_wrong_and_where_help_is(arguments):
    done = outbox(*arguments)
    assert (done.code, done.out) == (2, "")
    assert len(done.err) > 20 and "--help" in done.err


@pytest.mark.parametrize("arguments", [("--help",), *((verb, "--help") for verb in VERBS),
                                       ("schema", "apply", "--help")])
def test_help_is_data_on_stdout_with_exit_0(arguments):
    done = outbox(*arguments)
    assert (done.code, done.err) == (0, "")
    assert "--help" in done.out


def test_help_names_every_command_and_the_exit_codes():
    out = outbox("--help").out
    for verb in VERBS:
        assert re.search(rf"^\s+{verb}\b", out, re.M), verb
    assert "unreachable" in out


def test_version_is_one_line_on_stdout():
    done = outbox("--version")
    assert done.code == 0 and re.fullmatch(r"outbox \d+\.\d+\.\d+\S*\n", done.out)


def test_an_unknown_flag_never_shows_what_stood_behind_it():
    done = outbox("schema", "plan", "--databse=postgresql://u:s3cret-canary@h/d")
    assert done.code == 2 and "s3cret-canary" not in done.err + done.out


# --- stdout, stderr, terminals

def test_stdout_that_is_full_is_a_failure_and_not_a_success():
    with open("/dev/full", "w") as full:
        done = subprocess.run([environment.outbox_bin(), "schema", "print"], stdout=full,
                              stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "cannot write" in done.stderr


def test_a_reader_that_went_away_ends_it_quietly():
    done = subprocess.run(["bash", "-c", f'"{environment.outbox_bin()}" schema print | head -1'],
                          capture_output=True, text=True)
    assert done.stdout.startswith("--") and "terminate" not in done.stderr
    assert "Aborted" not in done.stderr


def in_a_terminal(arguments, **environ):
    """What a command writes when stdout and stderr are a terminal."""
    ours, its = pty.openpty()
    process = subprocess.Popen([environment.outbox_bin(), *map(str, arguments)], stdin=its,
                               stdout=its, stderr=its, env={**os.environ, **environ})
    os.close(its)
    written = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:
            break
        if not chunk:
            break
        written += chunk
    os.close(ours)
    return process.wait(), written


@pytest.mark.parametrize("command", ["check", "doctor", "status"])
def test_no_color_is_obeyed_on_a_terminal(tmp_path, command):
    file = tmp_path / "relay.toml"
    file.write_text(config_text.whole(9, "some_slot"))
    _, written = in_a_terminal([command, "--config", file], NO_COLOR="1", TERM="xterm-256color",
                               DATABASE_URL="postgresql://127.0.0.1:1/x",
                               KAFKA_BOOTSTRAP="127.0.0.1:1")
    assert b"\x1b" not in written


@pytest.mark.parametrize("command", ["check", "doctor", "status"])
def test_nothing_is_colored_where_no_terminal_is(tmp_path, command):
    file = tmp_path / "relay.toml"
    file.write_text(config_text.whole(9, "some_slot"))
    done = outbox(command, "--config", file, DATABASE_URL="postgresql://127.0.0.1:1/x",
                  KAFKA_BOOTSTRAP="127.0.0.1:1", TERM="xterm-256color", NO_COLOR=None)
    assert "\x1b" not in done.out + done.err


def run_for(tmp_path, seconds, *options):
    """`outbox run` with servers that are not there, until it is told to end."""
    file = tmp_path / "relay.toml"
    file.write_text(config_text.whole(free_port(), "some_slot"))
    return subprocess.run(
        ["timeout", "-s", "TERM", "-k", "20", str(seconds), environment.outbox_bin(), "run",
         "--config", file, *options], capture_output=True, text=True,
        env={**os.environ, "DATABASE_URL": "postgresql://127.0.0.1:1/x",
             "KAFKA_BOOTSTRAP": "127.0.0.1:1"})


def test_run_logs_to_stderr_and_writes_nothing_to_stdout(tmp_path):
    done = run_for(tmp_path, 1)
    assert done.stdout == "" and "outbox starts" in done.stderr


def test_json_logs_are_one_object_a_line(tmp_path):
    lines = [json.loads(line) for line in
             run_for(tmp_path, 1, "--log-format", "json").stderr.splitlines()]
    assert len(lines) >= 3 and all(isinstance(line, dict) for line in lines)


# --- servers that are not there

def test_run_waits_for_servers_that_are_not_there_and_ends_at_once_when_told(tmp_path):
    """An outage is no error: it waits. But SIGTERM is obeyed while it waits."""
    started = time.monotonic()
    done = run_for(tmp_path, 2)
    assert done.returncode == 124, "timeout(1) had to send TERM, and only TERM"
    assert time.monotonic() - started < 9
    assert "127.0.0.1" in done.stderr and "outbox ends exit=0" in done.stderr


@pytest.mark.parametrize("verb", ["plan", "apply", "status"])
def test_schema_commands_exit_5_when_postgres_is_unreachable(verb):
    done = outbox("schema", verb, DATABASE_URL="postgresql://u@127.0.0.1:1/x")
    assert (done.code, done.out) == (5, "")
    assert "127.0.0.1" in done.err


def test_status_exits_5_when_no_relay_answers(tmp_path):
    file = tmp_path / "relay.toml"
    file.write_text(config_text.whole(free_port(), "some_slot"))
    done = outbox("status", "--config", file, DATABASE_URL="postgresql://127.0.0.1:1/x",
                  KAFKA_BOOTSTRAP="127.0.0.1:1")
    assert (done.code, done.out) == (5, "")
    assert "127.0.0.1:" in done.err


def test_status_exits_5_when_something_else_answers_there(tmp_path):
    with Trap() as stranger:
        file = tmp_path / "relay.toml"
        file.write_text(config_text.whole(stranger.port, "some_slot"))
        done = outbox("status", "--config", file, DATABASE_URL="postgresql://127.0.0.1:1/x",
                      KAFKA_BOOTSTRAP="127.0.0.1:1")
        assert done.code == 5 and done.out == ""
        assert str(stranger.port) in done.err


def test_a_port_that_is_taken_is_named_with_exit_1(tmp_path):
    with Trap() as taken:
        file = tmp_path / "relay.toml"
        file.write_text(config_text.whole(taken.port, "some_slot"))
        done = outbox("run", "--config", file, DATABASE_URL="postgresql://127.0.0.1:1/x",
                      KAFKA_BOOTSTRAP="127.0.0.1:1", patience_s=20)
        assert done.code == 1
        assert f"127.0.0.1:{taken.port}" in done.err


def test_the_readme_s_config_passes_check(tmp_path):
    readme = (CHECKOUT / "README.md").read_text()
    text = re.search(r"```toml\n(.*?)```", readme, re.S)[1]
    file = tmp_path / "relay.toml"
    file.write_text("\n".join(line.removeprefix("   ") for line in text.splitlines()))
    done = outbox("check", "--config", file, DATABASE_URL="postgresql://127.0.0.1:1/x",
                  KAFKA_BOOTSTRAP="127.0.0.1:1")
    assert (done.code, done.err) == (0, "")
