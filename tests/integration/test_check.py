"""`outbox check`: every mistake at once, with file and line and a remedy; touches nothing (6b)."""

import json
import re
import subprocess
from dataclasses import dataclass

import pytest

from outbox import Trap, outbox
from support import environment

GOOD = """\
[admin]
listen = "127.0.0.1:9187"

[source.shop]
type = "postgres"
url = "${SHOP_URL}"
mode = "wal"
slot = "outbox_shop"
publication = "outbox_shop"
table = "outbox.event"

[sink.kafka]
type = "kafka"
bootstrap_servers = "${BROKERS}"
properties = { "client.rack" = "a" }

[[pipeline]]
name = "orders"
source = "shop"
sink = "kafka"

[[pipeline.route]]
match = { aggregate_type = "order" }
topic = "order.events"
on_failure = "dead-letter"
"""
ENVIRON = {"SHOP_URL": "postgresql://relay:s3cret-canary@127.0.0.1:1/shop",
           "BROKERS": "127.0.0.1:1"}


@dataclass(frozen=True)
class Mistake:
    """GOOD with `old` replaced by `new`; the message stands at the line of `at` (default: the first
    line of `new`) and says each of `says`."""
    name: str
    old: str
    new: str
    says: tuple
    at: str = ""

    def text(self):
        assert GOOD.count(self.old) == 1, f"{self.old!r} must be there once"
        return GOOD.replace(self.old, self.new)

    def line(self):
        lines = self.text().splitlines()
        wanted = self.at or self.new.strip().splitlines()[0]
        return next(n for n, line in enumerate(lines, 1) if wanted in line)


def mistake(name, old, new, *says, at=""):
    return Mistake(name, old, new, says, at)


SECOND_SOURCE = """
[source.copy]
type = "postgres"
url = "${SHOP_URL}"
slot = "%s"
"""
SECOND_PIPELINE = """
[[pipeline]]
name = "%s"
source = "%s"
sink = "kafka"
"""
ROUTE = '''
[[pipeline.route]]
match = { aggregate_type = "order" }
topic = "order.events"
on_failure = "dead-letter"
'''

UNKNOWN_KEYS = [
    mistake("unknown section", "[admin]\n", "[admim]\n", '"admim"', 'Did you mean "admin"?'),
    mistake("unknown key in admin", "listen =", "listn =", '"listn"', 'Did you mean "listen"?'),
    mistake("unknown key in source", "slot =", "slott =", '"slott"', 'Did you mean "slot"?'),
    mistake("unknown key in sink", "bootstrap_servers =", "bootstrap_server =",
            '"bootstrap_server"', 'Did you mean "bootstrap_servers"?'),
    mistake("dash for underscore", "bootstrap_servers =", "bootstrap-servers =",
            'Did you mean "bootstrap_servers"?'),
    mistake("unknown key in pipeline", 'sink = "kafka"', 'sink = "kafka"\nretries = 3',
            '"retries"', "It may have", at="retries"),
    mistake("unknown key in route", "on_failure =", "on_failur =", '"on_failur"',
            'Did you mean "on_failure"?'),
    mistake("unknown key in columns", 'mode = "wal"',
            'mode = "wal"\ncolumns = { aggregatetype = "a" }', 'Did you mean "aggregate_type"?',
            at="columns"),
    mistake("unknown key in debezium", 'topic = "order.events"',
            'topic = "order.events"\nformat = "debezium"\ndebezium = { expand_payload = true }',
            '"expand_payload"', at="debezium ="),
    mistake("unknown key in match", "{ aggregate_type =", "{ agregate_type =", '"agregate_type"',
            'Did you mean "aggregate_type"?'),
]
MISSING = [
    mistake("source without type", 'type = "postgres"\n', "", '"type"', 'type = "postgres"',
            at="[source.shop]"),
    mistake("source without url", 'url = "${SHOP_URL}"\n', "", '"url"', 'url = "${DATABASE_URL}"',
            at="[source.shop]"),
    mistake("sink without brokers", 'bootstrap_servers = "${BROKERS}"\n', "",
            '"bootstrap_servers"', at="[sink.kafka]"),
    mistake("sink without type", 'type = "kafka"\n', "", '"type"', at="[sink.kafka]"),
    mistake("pipeline without name", 'name = "orders"\n', "", '"name"', at="[[pipeline]]"),
    mistake("pipeline without source", 'source = "shop"\n', "", '"source"', at="[[pipeline]]"),
    mistake("pipeline without sink", 'sink = "kafka"\n', "", '"sink"', at="[[pipeline]]"),
    mistake("route without topic", 'topic = "order.events"\n', "", '"topic"',
            at="[[pipeline.route]]"),
]
WRONG_TYPES = [
    mistake("number for a string", 'slot = "outbox_shop"', "slot = 5", '"slot"', "not a string"),
    mistake("boolean for a string", 'topic = "order.events"', "topic = true", '"topic"',
            "not a string"),
    mistake("string for a number", 'name = "orders"', 'name = "orders"\nwindow_events = "many"',
            '"window_events"', "not an integer", at="window_events"),
    mistake("real for an integer", 'name = "orders"', 'name = "orders"\nwindow_events = 8192.5',
            "not an integer", at="window_events"),
    mistake("string for a table", 'match = { aggregate_type = "order" }', 'match = "order"',
            '"match"', "not a table"),
    mistake("list for a string", 'listen = "127.0.0.1:9187"', 'listen = ["127.0.0.1:9187"]',
            '"listen"', "not a string"),
    mistake("list in properties", '{ "client.rack" = "a" }', '{ "client.rack" = ["a"] }',
            '"client.rack"', "not a string", at="properties"),
]
RANGES = [
    mistake("window too small", 'name = "orders"', 'name = "orders"\nwindow_events = 1',
            "window_events = 1", "out of range", "64 to", at="window_events"),
    mistake("negative drain timeout", 'name = "orders"', 'name = "orders"\ndrain_timeout_ms = -1',
            "out of range", at="drain_timeout_ms"),
    mistake("heartbeat too long", 'mode = "wal"', 'mode = "wal"\nheartbeat_ms = 99999999',
            "out of range", at="heartbeat_ms"),
    mistake("port 0", "127.0.0.1:9187", "127.0.0.1:0", "listen", "address and a port",
            at="listen"),
    mistake("port 65536", "127.0.0.1:9187", "127.0.0.1:65536", "address and a port", at="listen"),
    mistake("no port", '"127.0.0.1:9187"', '"127.0.0.1"', "address and a port", at="listen"),
    mistake("host name", '"127.0.0.1:9187"', '"relay.local:9187"', "IP address", at="listen"),
]
VALUES = [
    mistake("unknown source type", 'type = "postgres"', 'type = "postgresql"', '"postgresql"',
            'Did you mean "postgres"?'),
    mistake("unknown mode", 'mode = "wal"', 'mode = "wall"', '"wall"', 'Did you mean "wal"?'),
    mistake("unknown on_failure", '"dead-letter"', '"dead_letter"', '"dead_letter"',
            'Did you mean "dead-letter"?', at="on_failure"),
    mistake("slot in capitals", 'slot = "outbox_shop"', 'slot = "Outbox-Shop"', '"Outbox-Shop"',
            "a-z, 0-9 and _"),
    mistake("slot too long", 'slot = "outbox_shop"', f'slot = "{"s" * 64}"', "1 to 63"),
    mistake("table without schema", 'table = "outbox.event"', 'table = "event"', '"event"',
            '"outbox.event"'),
    mistake("url of another database", 'url = "${SHOP_URL}"', 'url = "mysql://127.0.0.1/shop"',
            "not a Postgres URL", "postgresql://"),
    mistake("no broker", '"${BROKERS}"', '""', "host:port", at="bootstrap_servers"),
    mistake("broker with a scheme", '"${BROKERS}"', '"kafka://127.0.0.1:9092"', "host:port",
            at="bootstrap_servers"),
    mistake("broker with a bad port", '"${BROKERS}"', '"127.0.0.1:kafka"', "host:port",
            at="bootstrap_servers"),
    mistake("pipeline name with a space", 'name = "orders"', 'name = "all orders"',
            "letters, digits"),
    mistake("empty match", 'aggregate_type = "order"', 'aggregate_type = ""', "is empty",
            at="match"),
]
TOPICS = [
    mistake(f"topic {what}", '"order.events"', f'"{name}"', '"topic"' if long else "topic =",
            says, at="topic = ")
    for what, name, says, long in [
        ("empty", "", "not a name that Kafka takes", False),
        ("dot", ".", "not a name that Kafka takes", False),
        ("dots", "..", "not a name that Kafka takes", False),
        ("with a space", "order events", "not a name that Kafka takes", False),
        ("in unicode", "größe", "not a name that Kafka takes", False),
        ("of 250 characters", "t" * 250, "249", True)]
]
LATER = [
    mistake("mode status", 'mode = "wal"', 'mode = "status"', "later release", '"wal"', '"poll"'),
    mistake("sink http", 'type = "kafka"', 'type = "http"', "later release"),
]
PLACEHOLDERS = [
    mistake("unset variable", "${SHOP_URL}", "${NO_SUCH_VARIABLE}", "NO_SUCH_VARIABLE",
            "is not set", at="url ="),
    mistake("unreadable secret", "${SHOP_URL}", "${file:/no/such/file}", "/no/such/file",
            "No such file", at="url ="),
    mistake("secret is a folder", "${SHOP_URL}", "${file:/etc}", "directory", at="url ="),
    mistake("relative secret", "${SHOP_URL}", "${file:secret}", "absolute", at="url ="),
    mistake("unclosed placeholder", "${SHOP_URL}", "${SHOP_URL", "not closed", at="url ="),
    mistake("lower-case variable", "${SHOP_URL}", "${shop_url}", "shop_url", "CAPITALS",
            at="url ="),
    mistake("event placeholder outside topic", '"127.0.0.1:9187"', '"${aggregate_type}"',
            "`topic` only", at="listen"),
    mistake("unknown event placeholder", '"order.events"', '"${event_type}.events"',
            "event_type", at="topic ="),
]
PROPERTIES = [
    mistake(f"property {name}", '"client.rack" = "a"', f'"{name}" = "{value}"', f'"{name}"',
            "cannot be set", "Take it out", at="properties")
    for name, value in [("acks", "1"), ("enable.idempotence", "false"),
                        ("enable.gapless.guarantee", "false"), ("message.timeout.ms", "1000"),
                        ("partitioner", "random"), ("retries", "0"), ("transactional.id", "t")]
] + [
    mistake("property bootstrap.servers", '"client.rack" = "a"', '"bootstrap.servers" = "a:1"',
            "bootstrap_servers", at="properties"),
    mistake("unknown property", '"client.rack" = "a"', '"sasl.usrname" = "relay"', '"sasl.usrname"',
            'Did you mean "sasl.username"?', at="properties"),
    mistake("property out of range", '"client.rack" = "a"', '"linger.ms" = "-5"', '"linger.ms"',
            at="properties"),
    mistake("property with an unset variable", '"client.rack" = "a"',
            '"sasl.password" = "${NO_SUCH_VARIABLE}"', "NO_SUCH_VARIABLE", at="properties"),
]
REFERENCES = [
    mistake("no such source", 'source = "shop"', 'source = "shpo"', '"shpo"',
            'Did you mean "shop"?'),
    mistake("no such sink", 'sink = "kafka"', 'sink = "rabbit"', '"rabbit"', '"kafka"'),
    mistake("pipeline twice", ROUTE, ROUTE + SECOND_SOURCE % "other"
            + SECOND_PIPELINE % ("orders", "copy"), '"orders"', "line 17",
            at='name = "orders"\nsource = "copy"'.splitlines()[0]),
    mistake("one source for two pipelines", ROUTE, ROUTE + SECOND_PIPELINE % ("audit", "shop"),
            '"shop"', "a second source with a slot of its own"),
    mistake("one slot for two sources", ROUTE, ROUTE + SECOND_SOURCE % "outbox_shop"
            + SECOND_PIPELINE % ("audit", "copy"), '"outbox_shop"', "on one server"),
    mistake("a route twice", ROUTE, ROUTE + ROUTE, "the same events"),
    mistake("a route never reached", ROUTE, '\n[[pipeline.route]]\ntopic = "all"\n' + ROUTE,
            "never reached", "put the narrower one first"),
    mistake("no pipeline", GOOD[GOOD.index("[[pipeline]]"):], "", "no pipeline", at="[admin]"),
]
ADMIN = [
    mistake("off loopback without token", "127.0.0.1:9187", "0.0.0.0:9187", "no token",
            "listen on 127.0.0.1", at="listen"),
    mistake("IPv6 off loopback without token", "127.0.0.1:9187", "[::]:9187", "no token",
            at="listen"),
    mistake("short token", 'listen = "127.0.0.1:9187"',
            'listen = "127.0.0.1:9187"\ntoken = "short"', "16 to 1024", "openssl rand", at="token"),
    mistake("token with a space", 'listen = "127.0.0.1:9187"',
            f'listen = "127.0.0.1:9187"\ntoken = "{"a b" * 10}"', "no HTTP header", at="token"),
]
SYNTAX = [
    mistake("unclosed string", 'name = "orders"', 'name = "orders'),
    mistake("no value", 'slot = "outbox_shop"', "slot ="),
    mistake("key twice", 'name = "orders"', 'name = "orders"\nname = "orders2"', "name",
            at="orders2"),
    mistake("table twice", "[sink.kafka]", "[source.shop]\n[sink.kafka]", "shop",
            at="[source.shop]\n[sink"),
]
MISTAKES = [*UNKNOWN_KEYS, *MISSING, *WRONG_TYPES, *RANGES, *VALUES, *TOPICS, *LATER, *PLACEHOLDERS,
            *PROPERTIES, *REFERENCES, *ADMIN]


def check(tmp_path, text, *options, environ=ENVIRON, **more):
    file = tmp_path / "relay.toml"
    if isinstance(text, bytes):
        file.write_bytes(text)
    else:
        file.write_text(text)
    return file, outbox("check", "--config", file, *options, **{**environ, **more})


def places(file, err):
    """The lines that messages point at; each line of stderr must be a message."""
    found = [re.match(re.escape(str(file)) + r"(?::(\d+):(\d+))?: ", line)
             for line in err.splitlines()]
    assert all(found), err
    return [int(match[1] or 0) for match in found]


def test_a_good_config_is_ok_on_stdout_with_exit_0(tmp_path):
    file, done = check(tmp_path, GOOD)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"ok: {file}\n") and "orders: shop -> kafka, 1 route" in done.out


@pytest.mark.parametrize("wrong", MISTAKES, ids=lambda wrong: wrong.name)
def test_a_mistake_is_named_with_file_line_and_remedy(tmp_path, wrong):
    file, done = check(tmp_path, wrong.text())
    assert (done.code, done.out) == (2, "")
    lines = done.err.splitlines()
    line = 0 if wrong.name == "no pipeline" else wrong.line()
    if wrong.name in ("pipeline twice", "one source for two pipelines", "one slot for two sources",
                      "a route twice", "a route never reached"):
        assert places(file, done.err)[0] > 18, "it points at the second one"
    else:
        assert places(file, done.err) == [line], done.err
    assert len(lines) == 1, f"one mistake, one message: {done.err}"
    for part in wrong.says:
        assert part in lines[0], lines[0]
    assert re.search(r"\. \S.*", lines[0]), f"no remedy: {lines[0]}"
    assert "s3cret-canary" not in done.err


@pytest.mark.parametrize("wrong", SYNTAX, ids=lambda wrong: wrong.name)
def test_a_syntax_error_is_shown_with_its_place(tmp_path, wrong):
    file, done = check(tmp_path, wrong.text())
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert places(file, done.err)[0] > 0
    for part in wrong.says:
        assert part in done.err


def test_a_section_without_a_name_is_told_once_however_many_keys_it_has(tmp_path):
    file, done = check(tmp_path, GOOD.replace("[source.shop]", "[source]"))
    first, second = done.err.splitlines()
    assert places(file, done.err) == [5, 19] and done.code == 2
    assert "write [source.shop] above it" in first
    assert 'no source is called "shop"' in second


def test_all_mistakes_are_shown_at_once_in_the_order_of_the_file(tmp_path):
    text = GOOD
    chosen = [wrong for wrong in MISTAKES if wrong.name in (
        "unknown key in admin", "mode status", "slot in capitals", "unset variable",
        "unknown property", "no such sink", "unknown key in match", "topic with a space",
        "unknown on_failure")]
    for wrong in chosen:
        text = text.replace(wrong.old, wrong.new)
    file, done = check(tmp_path, text)
    assert done.code == 2
    found = places(file, done.err)
    assert len(found) == len(chosen) and found == sorted(found)
    for wrong in chosen:
        assert all(part in done.err for part in wrong.says), wrong.name


@pytest.mark.parametrize("output", ["json", "jsonl"])
def test_mistakes_as_json_have_file_line_what_and_remedy(tmp_path, output):
    file, done = check(tmp_path, MISTAKES[2].text(), "-o", output)
    assert done.code == 2 and done.err == ""
    found = (json.loads(done.out) if output == "json"
             else [json.loads(line) for line in done.out.splitlines()])
    assert len(found) == 1
    assert (found[0]["file"], found[0]["line"]) == (str(file), MISTAKES[2].line())
    assert "slott" in found[0]["what"] and "slot" in found[0]["remedy"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"\x00" * 100, b"a" * (2 << 20),
                                     b"[" * 50_000, b"a.b" + b".c" * 20_000 + b" = 1"],
                         ids=["empty", "not UTF-8", "NULs", "2 MB", "deep brackets", "deep keys"])
def test_a_file_that_is_no_config_is_an_error_and_no_crash(tmp_path, content):
    file, done = check(tmp_path, content)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(str(file)) and len(done.err) < 2000


def test_a_config_that_is_missing_is_named(tmp_path):
    done = outbox("check", "--config", tmp_path / "none.toml")
    assert done.code == 2 and "none.toml" in done.err and "No such file" in done.err


def test_a_config_that_is_a_folder_is_named(tmp_path):
    done = outbox("check", "--config", tmp_path)
    assert done.code == 2 and "directory" in done.err


def test_check_calls_nobody_even_when_all_is_well(tmp_path):
    with Trap() as postgres, Trap() as kafka:
        _, done = check(tmp_path, GOOD,
                        SHOP_URL=f"postgresql://relay@127.0.0.1:{postgres.port}/shop",
                        BROKERS=f"127.0.0.1:{kafka.port}")
        assert done.code == 0
        assert (postgres.callers, kafka.callers) == (0, 0)


def test_run_with_a_bad_config_exits_2_and_touches_nothing(tmp_path):
    file = tmp_path / "relay.toml"
    file.write_text(GOOD.replace("on_failure", "on_fail"))
    with Trap() as postgres, Trap() as kafka:
        done = outbox("run", "--config", file,
                      SHOP_URL=f"postgresql://relay@127.0.0.1:{postgres.port}/shop",
                      BROKERS=f"127.0.0.1:{kafka.port}")
        assert (done.code, done.out) == (2, "")
        assert "on_fail" in done.err and f"{file}:" in done.err
        assert (postgres.callers, kafka.callers) == (0, 0)


@pytest.mark.parametrize("command", ["run", "doctor", "status"])
def test_every_command_shows_the_same_mistakes(tmp_path, command):
    file, checked = check(tmp_path, MISTAKES[0].text())
    done = outbox(command, "--config", file, **ENVIRON)
    assert (done.code, done.err) == (2, checked.err)


def test_the_config_may_come_from_a_pipe(tmp_path):
    """As `check --config <(envsubst <template)` does."""
    done = subprocess.run(["bash", "-c", f'"{environment.outbox_bin()}" check --config <(cat)'],
                          input=GOOD, text=True, capture_output=True, env={"PATH": "/usr/bin:/bin",
                                                                          **ENVIRON})
    assert done.returncode == 0, done.stderr
