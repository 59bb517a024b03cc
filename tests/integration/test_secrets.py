"""No secret comes out anywhere: canaries are planted, all that the relay says is searched."""

from urllib.parse import urlsplit

import pytest

import config_text
from config_text import route
from http_raw import request
from logins import login
from one_place import database, topic
from outbox import outbox
from service.port import free_port
from support.relay import Relay
from support.waiting import wait_until

CANARY = "canary-5f0e7d1c"
DATABASE, SASL, TOKEN = (f"{CANARY}-{kind}-0123456789" for kind in ("database", "sasl", "token"))


@pytest.fixture(scope="module")
def planted(tmp_path_factory, database, topic):
    """A running relay with a canary in each place that holds a secret."""
    port = free_port()
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "sasl").write_text(SASL)
    properties = (f'"sasl.username" = "relay", "sasl.password" = "${{file:{folder / "sasl"}}}",'
                  f' "ssl.key.password" = "{SASL}"')
    text = config_text.whole(port, f"slot_{port}", [route(topic)], properties=properties,
                             admin_more='token = "${ADMIN_TOKEN}"')
    with login(database, ["outbox_relay"], "replication", password=DATABASE) as url:
        relay = Relay(folder, url, slot=f"slot_{port}", config=text, admin_port=port,
                      environ={"ADMIN_TOKEN": TOKEN}, options=["--log-level", "debug"])
        relay.start()
        page = ["Authorization: Bearer " + TOKEN]
        wait_until(lambda: request(port, "/readyz", headers=page).status == 200, "it is ready")
        yield relay
        if relay.running():
            relay.stop()
        database.execute("select pg_drop_replication_slot(%s)", [relay.slot])


def pages(relay):
    header = ["Authorization: Bearer " + TOKEN]
    said = ""
    for path in ("/metrics", "/status", "/healthz", "/readyz", "/", "/none"):
        for headers in (header, ["Authorization: Bearer wrong"], []):
            answer = request(relay.admin_port, path, headers=headers)
            said += f"{answer.headers}{answer.body!r}"
    return said


def command_line_of(relay):
    with open(f"/proc/{relay.process.pid}/cmdline") as file:
        return file.read()


def test_a_running_relay_says_no_secret_on_its_pages_in_its_log_or_its_command_line(planted,
                                                                                   database):
    assert CANARY not in pages(planted)
    assert CANARY not in command_line_of(planted)
    assert CANARY not in planted.log_file.read_text()
    seen = database.execute("select application_name, query from pg_stat_activity")
    assert CANARY not in str(seen)


@pytest.mark.parametrize("command", [("check",), ("doctor",), ("status",), ("status", "-o", "json"),
                                     ("doctor", "-o", "json"), ("schema", "status")])
def test_no_command_says_a_secret(planted, command):
    done = planted.command(*command)
    assert done.returncode in (0, 1)
    assert CANARY not in done.stdout + done.stderr


@pytest.mark.parametrize("old, new", [
    ("slot =", "slott ="), ("postgres", "postgress"), ('"ssl.key.password"', '"ssl.key.passwort"'),
    ("[[pipeline]]", "[[pipeline]")])
def test_no_secret_comes_out_of_a_wrong_config(planted, old, new):
    text = planted.config_file.read_text()
    planted.config_file.write_text(text.replace(old, new, 1))
    for command in ("check", "run", "doctor", "status"):
        done = planted.command(command)
        assert done.returncode == 2
        assert CANARY not in done.stdout + done.stderr
    planted.config_file.write_text(text)


@pytest.mark.parametrize("url", [
    f"postgresql://u:{DATABASE}@127.0.0.1:1/x", f"postgresql://u:{DATABASE}@/x?host=/nowhere",
    f"host=127.0.0.1 port=1 password={DATABASE}", f"postgresql://u:{DATABASE}@[::1/x",
    f"mysql://u:{DATABASE}@127.0.0.1/x", f"host=127.0.0.1 pasword={DATABASE}",
    f"postgresql://u:{DATABASE}@no-such-host.invalid/x",
    f"postgresql://u:{DATABASE}@127.0.0.1:x/x"],
    ids=["refused", "no socket", "key=value", "bad brackets", "other scheme", "bad key", "no host",
         "bad port"])
def test_no_url_comes_out_however_wrong_it_is(tmp_path, topic, url):
    file = tmp_path / "relay.toml"
    file.write_text(config_text.whole(free_port(), "some_slot", [route(topic)]))
    for command in (("check", "--config", file), ("doctor", "--config", file),
                    ("schema", "status"), ("schema", "apply")):
        done = outbox(*command, DATABASE_URL=url)
        assert CANARY not in done.out + done.err, command


def test_a_property_s_value_that_the_client_library_refuses_is_not_repeated(tmp_path):
    file = tmp_path / "relay.toml"
    for name in ("sasl.password", "ssl.key.pem", "linger.ms", "security.protocol", "no.such"):
        file.write_text(config_text.whole(9, "some_slot", properties=f'"{name}" = "{SASL}"'))
        done = outbox("check", "--config", file, DATABASE_URL="postgresql://127.0.0.1:1/x",
                      KAFKA_BOOTSTRAP="127.0.0.1:1")
        assert CANARY not in done.out + done.err, name


def test_no_secret_comes_out_when_postgres_goes_away_and_the_password_is_wrong(planted, database):
    user = urlsplit(planted.environ["DATABASE_URL"]).username
    database.execute(f"alter role {user} password 'another'")
    database.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s",
                     [user])
    wait_until(lambda: "password authentication failed" in planted.log_file.read_text(),
               "the log names the trouble")
    assert CANARY not in pages(planted) + planted.log_file.read_text()
    done = planted.command("doctor")
    assert CANARY not in done.stdout + done.stderr
