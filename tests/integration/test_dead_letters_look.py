"""`outbox dead-letters`: list, show, export, and what is wrong (issue: operators of letters)."""

import base64
import json
import os
import socket

import pytest

from letter_command import LetterCommand, publish_blocked
from test_letters import LARGE, await_states, stage_of

_PEAK_MB = 160


@pytest.fixture(scope="module")
def parked(tmp_path_factory):
    """Letters to look at only: keys a and b, each with a refused one and three behind it."""
    with stage_of(tmp_path_factory.mktemp("parked"), "park") as stage:
        stage.ids = {key: publish_blocked(stage, key, 3) for key in "ab"}
        await_states(stage, ["parked"] * 8)
        stage.letters = LetterCommand(stage)
        yield stage


@pytest.fixture
def stage(tmp_path):
    with stage_of(tmp_path, "park") as stage:
        stage.letters = LetterCommand(stage)
        yield stage


def test_list_without_a_filter_groups_by_cause(parked):
    groups = parked.letters.json("list")
    assert [(one["code"], one["state"], one["letters"], one["topic"]) for one in groups] == [
        (None, "parked", 6, parked.topic), ("MSG_SIZE_TOO_LARGE", "parked", 2, parked.topic)]
    assert all(one["first_at"] <= one["last_at"] and one["pipeline"] == parked.pipeline
               for one in groups)
    text = parked.letters("list")
    assert text.code == 0 and f"MSG_SIZE_TOO_LARGE on {parked.topic}" in text.out
    assert text.err == ""


@pytest.mark.parametrize("options, count", [
    (["--all"], 8), (["--key", "a"], 4), (["--key", "a", "--cause", "MSG_SIZE_TOO_LARGE"], 1),
    (["--type", "changed"], 8), (["--aggregate", "order", "--key", "b"], 4),
    (["--since", "1h"], 8), (["--until", "2020-01-01", "--all"], 0), (["--until", "1h"], 0),
    (["--since", "2020-01-01T00:00:00Z", "--until", "2999-01-01"], 8), (["--letter", "1"], 1),
    (["--state", "parked"], 8), (["--state", "dead"], 0), (["--state", "any"], 8),
    (["--key", "'; drop table outbox.lane; --"], 0), (["--topic", "other"], 0),
    (["--type", "other"], 0), (["--aggregate", "other"], 0), (["--cause", "OTHER"], 0),
])
def test_every_filter_chooses_and_nothing_matched_is_exit_3(parked, options, count):
    done = parked.letters("list", *options, "-o", "jsonl")
    listed = [json.loads(line) for line in done.out.splitlines()]
    assert (len(listed), done.code) == (count, 0 if count else 3), done
    assert [one["letter"] for one in listed] == sorted((one["letter"] for one in listed),
                                                       reverse=True)


def test_list_by_id_and_topic(parked):
    event = parked.ids["a"][2]
    one, = parked.letters.json("list", "--id", event, "--topic", parked.topic)
    assert (one["id"], one["key"]) == (event, "a")


def test_a_limit_says_how_many_more_there_are(parked):
    done = parked.letters("list", "--all", "--limit", "3")
    assert len(done.out.splitlines()) == 4, done.out
    assert "and 5 letters more" in done.err


def test_a_payload_is_shown_only_when_it_is_asked_for(parked):
    secret = "x" * 100
    for verb in (["list"], ["list", "--all"], ["show", "1"], ["show", "1", "-o", "json"]):
        assert secret not in parked.letters(*verb).out, verb
    assert secret in parked.letters("show", "1", "--payload").out
    assert secret in parked.letters("list", "--all", "--payload").out


def test_show_tells_everything_of_one_letter_by_number_or_event_id(parked):
    number, = (one["letter"] for one in parked.letters.json("list", "--id", parked.ids["b"][1]))
    for which in ([str(number)], [parked.ids["b"][1]], ["--letter", str(number)]):
        one, = parked.letters.json("show", *which)
        assert (one["letter"], one["id"], one["headers"]) == (number, parked.ids["b"][1], {})
        assert (one["key_queue"]["before"], one["key_queue"]["behind"]) == (1, 2)
    text = parked.letters("show", number)
    assert text.code == 0 and "before this letter 1, behind it 2" in text.out


@pytest.mark.parametrize("arguments, code, said", [
    (["show", "4711"], 3, "there is no such letter"),
    (["show"], 2, "Give a letter's number or an event's id"),
    (["show", "zero"], 2, 'not "zero"'),
    (["list", "--id", "no-uuid"], 2, "a uuid"),
    (["list", "--pipeline", "nobody"], 2, 'no pipeline "nobody"'),
    (["list", "--kye", "a"], 2, 'Did you mean "--key"'),
    (["replay", "--key", "a"], 2, "--reason is required"),
    (["replay", "--key", "zzz", "--reason", "x"], 3, "no dead letter matches"),
    (["replay", "--letter", "2", "--reason", "x"], 4, "stand behind"),
    (["replay", "--job", "4711"], 3, "there is no replay job 4711"),
    (["discard", "--reason", "x"], 2, "name a filter, or --all"),
    (["discard", "--key", "zzz", "--reason", "x"], 3, "no dead letter matches"),
    (["jobs"], 3, "no replay was asked for yet"),
    (["jobs", "--end", "1"], 2, "--reason is required"),
])
def test_what_is_wrong_is_named_on_stderr_with_its_exit_code(parked, arguments, code, said):
    done = parked.letters(*arguments)
    assert (done.code, done.out) == (code, ""), done
    assert said in done.err


def test_export_writes_each_letter_with_its_payload_as_one_line(stage):
    bad = stage.shop.publish(key="a", payload=LARGE)
    binary = stage.shop.publish(key="a", payload=b"\x00\xff", headers={"tenant": "\u00fc\""})
    null = stage.shop.publish(key="a", payload=None)
    await_states(stage, ["parked"] * 3)
    done = stage.letters("export", "--key", "a")
    first, second, third = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0 and [first["id"], second["id"], third["id"]] == [bad, binary, null]
    assert (first["payload_encoding"], first["payload"]) == ("text", LARGE.decode())
    assert second["payload_encoding"] == "base64"
    assert base64.b64decode(second["payload"]) == b"\x00\xff"
    assert second["headers"] == {"tenant": "\u00fc\""}
    assert (third["payload"], third["payload_encoding"]) == (None, None)


def test_export_of_more_than_a_page_is_complete_and_in_order(stage):
    ids = [stage.shop.publish(key="a", payload=LARGE) for _ in range(1200)]
    await_states(stage, ["parked"] * 1200)
    done = stage.letters("export")
    assert [json.loads(line)["id"] for line in done.out.splitlines()] == ids


def test_an_export_of_much_takes_little_memory(stage, tmp_path):
    stage.shop.publish(key="a", payload=LARGE)
    await_states(stage, ["parked"])
    columns = ", ".join(name for name, in stage.database.execute(
        "select column_name from information_schema.columns where table_schema = 'outbox'"
        " and table_name = 'dead_letter' and column_name not in ('letter', 'payload', 'event_id')"))
    stage.database.execute(
        f"insert into outbox.dead_letter (letter, event_id, payload, {columns})"
        " select n, gen_random_uuid(), convert_to(repeat('x', 2000000), 'UTF8'),"
        f" {columns} from outbox.dead_letter, generate_series(1001, 1200) n")
    stage.database.execute(
        "insert into outbox.open_letter (letter, place, lane, cause, payload_bytes, written_at,"
        " event_type, aggregate_type, aggregate_id)"
        " select l.letter, l.letter, o.lane, o.cause, 2000000, l.written_at, l.event_type,"
        " l.aggregate_type, l.aggregate_id from outbox.dead_letter l, outbox.open_letter o"
        " where l.letter > 1000")
    with open(tmp_path / "export", "wb") as out:
        command = stage.letters.start("export", stdout=out)
        _, status, usage = os.wait4(command.pid, 0)
        command.stderr.close()
    assert os.waitstatus_to_exitcode(status) == 0
    assert (tmp_path / "export").stat().st_size > 400_000_000
    with open(tmp_path / "export", "rb") as lines:
        assert sum(1 for _ in lines) == 201
    os.unlink(tmp_path / "export")
    assert usage.ru_maxrss / 1024 < _PEAK_MB


def test_an_unreachable_database_is_exit_5(parked):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    letters = LetterCommand(parked, f"postgresql://nobody@127.0.0.1:{port}/shop")
    for verb in (["list"], ["show", "1"], ["replay", "--reason", "x"], ["export"], ["jobs"],
                 ["discard", "--all", "--reason", "x"]):
        done = letters(*verb)
        assert (done.code, done.out) == (5, ""), (verb, done)
        assert str(port) in done.err
