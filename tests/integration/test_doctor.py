"""`outbox doctor`: what it finds in Postgres and Kafka as they are, each with what mends it."""

import json
import re

import pytest

import config_text
from cluster import Cluster
from config_text import route
from logins import login
from one_place import database, slot_name, topic
from outbox import outbox
from service.port import free_port
from stage import Stage
from support.database import Database
from support.topic import create_topic, topic_names, unique_name


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """A pipeline that runs, so that there is nothing to find."""
    topic = create_topic(unique_name("doctor"))
    with Stage(tmp_path_factory.mktemp("doctor"), [route(topic)]) as stage:
        stage.topic = topic
        stage.arrival(topic, stage.shop.publish())
        yield stage


class Patient:
    """A config, and what doctor says of it."""

    def __init__(self, folder, database, topic):
        self.slot = slot_name()
        self.database = database
        self.topic = topic
        self._file = folder / "relay.toml"

    def ask(self, *options, url=None, kafka=None, **config):
        more = {"DATABASE_URL": url or self.database.url}
        if kafka:
            more["KAFKA_BOOTSTRAP"] = kafka
        routes = config.pop("routes", None) or [route(self.topic)]
        self._file.write_text(config_text.whole(free_port(), self.slot, routes,
                                                 name=self.slot, **config))
        return outbox("doctor", "--config", self._file, *options, **more)

    def findings(self, level, **more):
        """(exit code, the findings of this level)."""
        done = self.ask("-o", "json", **more)
        return done.code, [one for one in json.loads(done.out) if one["level"] == level]


@pytest.fixture
def patient(tmp_path, database, topic):
    return Patient(tmp_path, database, topic)


def the_one(findings, *says):
    """The finding that says all of it."""
    found = [one for one in findings if all(part in one["what"] for part in says)]
    assert len(found) == 1, findings
    return found[0]


# --- nothing to find

def test_a_healthy_pipeline_has_no_error_and_no_warning_and_exit_0(healthy):
    done = healthy.relay.command("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(healthy.relay.command("doctor", "-o", "json").stdout)
    assert {one["level"] for one in found} == {"ok"}, found
    for thing in (healthy.slot, healthy.topic):
        assert thing in done.stdout


def test_before_the_first_start_a_missing_slot_and_publication_are_no_error(patient):
    code, errors = patient.findings("error")
    assert (code, errors) == (0, [])
    assert patient.slot in patient.ask().out


def test_doctor_touches_nothing(patient):
    topics = topic_names()
    slots = "select count(*) from pg_replication_slots where slot_name = %s"
    patient.ask()
    assert patient.database.value(slots, [patient.slot]) == 0
    assert patient.database.value("select count(*) from pg_publication where pubname = %s",
                                  [patient.slot]) == 0
    assert patient.database.value("select count(*) from outbox.progress where pipeline = %s",
                                  [patient.slot]) == 0
    assert topic_names() == topics


# --- Postgres

def test_a_publication_without_the_table_is_an_error_with_the_sql(patient):
    patient.database.execute(f"create publication {patient.slot} with"
                             " (publish_via_partition_root = true)")
    code, errors = patient.findings("error")
    assert code == 1
    finding = the_one(errors, "does not contain table outbox.event")
    patient.database.execute(finding["fix"])
    assert patient.findings("error") == (0, [])


def test_a_publication_that_is_gone_after_the_first_start_is_an_error_with_the_sql(healthy):
    healthy.database.execute(f"alter publication {healthy.slot} rename to elsewhere")
    try:
        done = healthy.relay.command("doctor", "-o", "json")
        finding = the_one([one for one in json.loads(done.stdout) if one["level"] == "error"],
                          f"publication {healthy.slot} does not exist")
        assert done.returncode == 1 and "create publication" in finding["fix"]
    finally:
        healthy.database.execute(f"alter publication elsewhere rename to {healthy.slot}")


def test_a_slot_that_is_gone_after_the_first_start_is_an_error(tmp_path, patient):
    patient.database.execute(
        "insert into outbox.progress (pipeline, system_id, timeline, slot, end_lsn)"
        " select %s, system_identifier::text, 1, %s, '0/10' from pg_control_system()",
        [patient.slot, patient.slot])
    patient.database.execute(f"select outbox.create_publication('{patient.slot}')")
    code, errors = patient.findings("error")
    assert code == 1
    the_one(errors, f"slot {patient.slot} is gone", "0/10")


def test_wal_level_replica_is_an_error_with_the_sql_and_stops_a_run(tmp_path, topic):
    with Cluster(tmp_path / "cluster", {"wal_level": "replica"}) as cluster:
        with Database(server_url=cluster.url) as database:
            patient = Patient(tmp_path, database, topic)
            code, errors = patient.findings("error")
            finding = the_one(errors, "wal_level is replica")
            assert code == 1 and "alter system set wal_level = 'logical'" in finding["fix"]
            ran = outbox("run", "--config", tmp_path / "relay.toml", DATABASE_URL=database.url)
            assert ran.code == 1 and "wal_level" in ran.err and "logical" in ran.err
            assert database.value("select count(*) from pg_publication") == 0


def test_a_role_without_replication_is_found_with_the_sql(patient):
    with login(patient.database, ["outbox_relay"]) as url:
        done = patient.ask("-o", "json", url=url)
        finding = the_one(json.loads(done.out), "REPLICATION")
        assert finding["level"] in ("warn", "error")
        patient.database.execute(finding["fix"])
        assert not [one for one in json.loads(patient.ask("-o", "json", url=url).out)
                    if "REPLICATION" in one["what"] and one["level"] != "ok"]


def test_a_role_outside_outbox_relay_is_an_error_with_the_grant(patient):
    with login(patient.database, [], "replication") as url:
        code, errors = patient.findings("error", url=url)
        finding = the_one(errors, "outbox.progress")
        assert code == 1
        patient.database.execute(finding["fix"])
        assert patient.findings("error", url=url) == (0, [])


def test_a_database_without_the_schema_is_an_error_with_the_command(tmp_path, topic):
    with Database(with_schema=False) as empty:
        code, errors = Patient(tmp_path, empty, topic).findings("error")
        assert code == 1
        assert any("outbox schema apply" in one["fix"] for one in errors)


def test_asynchronous_commits_are_told_of(patient):
    patient.database.execute(f"alter database {patient.database.name} set synchronous_commit = off")
    try:
        done = patient.ask()
    finally:
        patient.database.execute(f"alter database {patient.database.name} reset synchronous_commit")
    assert done.code == 0 and "synchronous_commit" in done.out and "wal_writer_delay" in done.out


# --- Kafka

def test_a_missing_topic_is_found_with_the_command_that_makes_it(patient):
    missing = unique_name("missing")
    done = patient.ask("-o", "json", routes=[route(missing)])
    finding = the_one(json.loads(done.out), f'"{missing}"')
    assert finding["level"] in ("warn", "error") and "kafka-topics" in finding["fix"]
    assert missing in finding["fix"]
    assert missing not in topic_names()


def test_a_topic_with_a_small_message_limit_is_told_with_both_numbers(patient):
    small = create_topic(unique_name("small"), max_message_bytes=20_000)
    done = patient.ask("-o", "json", routes=[route(small)])
    finding = the_one(json.loads(done.out), small, "20000")
    assert re.search(r"3355\d{4}|33,?5\d\d,?\d{3}|32 MiB|max\.message\.bytes", finding["what"]
                     + finding["fix"])


# --- unreachable

def test_an_unreachable_postgres_is_exit_5_and_kafka_is_looked_at_all_the_same(patient):
    done = patient.ask(url="postgresql://relay@127.0.0.1:1/none")
    assert done.code == 5
    assert "127.0.0.1" in done.out and patient.topic in done.out


def test_an_unreachable_kafka_is_exit_5_and_postgres_is_looked_at_all_the_same(patient):
    done = patient.ask(kafka="127.0.0.1:1")
    assert done.code == 5
    assert "127.0.0.1:1" in done.out and patient.slot in done.out


def test_a_wrong_password_is_named_and_not_shown(patient):
    with login(patient.database, ["outbox_relay"], "replication") as url:
        user, rest = url.split("@")
        wrong = user.rsplit(":", 1)[0] + ":s3cret-canary@" + rest
        done = patient.ask(url=wrong)
    assert done.code in (1, 5)
    assert "password authentication failed" in done.out
    assert "s3cret-canary" not in done.out + done.err


# --- forms

@pytest.mark.parametrize("output", ["json", "jsonl"])
def test_findings_as_json_have_subject_level_what_and_fix(patient, output):
    done = patient.ask("-o", output)
    found = (json.loads(done.out) if output == "json"
             else [json.loads(line) for line in done.out.splitlines()])
    assert len(found) >= 2
    for one in found:
        assert set(one) >= {"subject", "level", "what", "fix"}
        assert one["level"] in ("ok", "note", "warn", "error", "unreachable")


def test_the_text_form_names_each_thing_and_its_fix(patient):
    patient.database.execute(f"create publication {patient.slot} with"
                             " (publish_via_partition_root = true)")
    done = patient.ask()
    assert done.code == 1
    assert "source shop" in done.out and "sink kafka" in done.out
    assert f"publication {patient.slot} does not contain table outbox.event" in done.out
    assert f'alter publication "{patient.slot}" add table' in done.out
