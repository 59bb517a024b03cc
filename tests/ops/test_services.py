"""`ops/services`: what people and tests rely on when they kill a server and start it again."""

import subprocess
import time

import pytest
from confluent_kafka import Producer

from support.database import connect
from support.environment import CHECKOUT
from support.services import Services
from support.topic import create_topic, read_topic, unique_name


def command(*arguments):
    return subprocess.run([CHECKOUT / "ops" / "services", *map(str, arguments)],
                          capture_output=True, text=True)


@pytest.fixture
def postgres(tmp_path):
    with Services.private(tmp_path / "services") as services:
        services.start(only="postgres")
        yield services


def test_a_wrong_verb_or_service_ends_with_2_and_usage():
    for arguments in (["explode"], [], ["start", "--only", "mysql"], ["start", "--brokers", "0"]):
        done = command(*arguments)
        assert done.returncode == 2 and "usage:" in done.stderr and not done.stdout


def test_postgres_survives_kill_9_with_its_data_and_its_address(postgres):
    url = postgres.env()["DATABASE_URL"]
    connect(url).cursor().execute("create table kept as select 42 as answer")
    postgres.kill("postgres")
    assert command("status", "--dir", postgres.folder).returncode == 1
    postgres.start(only="postgres")
    assert postgres.env()["DATABASE_URL"] == url
    with connect(url).cursor() as cursor:
        cursor.execute("select answer from kept")
        assert cursor.fetchone() == (42,)


def test_postgres_takes_logical_slots_and_prepared_transactions(postgres):
    with connect(postgres.env()["DATABASE_URL"]).cursor() as cursor:
        cursor.execute("select name, setting from pg_settings where name in ('wal_level',"
                       " 'max_replication_slots', 'max_wal_senders', 'max_prepared_transactions')")
        assert dict(cursor.fetchall()) == {
            "wal_level": "logical", "max_replication_slots": "64", "max_wal_senders": "64",
            "max_prepared_transactions": "64"}


def test_a_second_start_says_so_and_changes_nothing(postgres):
    pid = postgres.pid("postgres")
    done = command("start", "--only", "postgres", "--dir", postgres.folder)
    assert done.returncode == 0 and "already running" in done.stderr
    assert postgres.pid("postgres") == pid


def test_stop_ends_only_what_its_own_folder_started(postgres, tmp_path):
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        command("stop", "--dir", postgres.folder)
        (postgres.folder / "postgres.pid").write_text(f"{stranger.pid}\n")
        assert "nothing was running" in command("stop", "--dir", postgres.folder).stderr
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_start_that_was_interrupted_is_made_good_by_the_next(tmp_path):
    half_made = tmp_path / "services" / "postgres"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("15")
    with Services.private(tmp_path / "services") as services:
        services.start(only="postgres")
        assert connect(services.env()["DATABASE_URL"]).server_version >= 140000


def test_a_folder_nobody_started_has_no_env_and_bad_status(tmp_path):
    assert command("env", "--dir", tmp_path / "none").returncode == 1
    assert command("status", "--dir", tmp_path / "none").returncode == 1


def test_kafka_survives_kill_9_and_a_pause_with_its_records(tmp_path):
    with Services.private(tmp_path / "services") as services:
        services.start(only="kafka")
        bootstrap = services.env()["KAFKA_BOOTSTRAP"]
        name = create_topic(unique_name(), partitions=2, bootstrap=bootstrap)
        producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
        for number in range(100):
            producer.produce(name, value=b"%d" % number, key=b"k")
        assert producer.flush(30) == 0
        services.kill("kafka-1")
        services.start(only="kafka")
        assert services.env()["KAFKA_BOOTSTRAP"] == bootstrap
        assert [int(r.value) for r in read_topic(name, bootstrap)] == list(range(100))

        services.pause("kafka-1")
        started = time.monotonic()
        services.stop(only="kafka")
        assert time.monotonic() - started < 30
