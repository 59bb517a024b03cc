"""The snippets of relay/docs/consumers.md, run out of that file, with a record that comes twice."""

import os
import re
import subprocess
import uuid
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import confluent_kafka
import pytest

from support.environment import CHECKOUT, kafka_bootstrap
from support.waiting import wait_until

PAGE = CHECKOUT / "relay" / "docs" / "consumers.md"
PAYLOAD = '{"customer": "ada"}'


def snippet(language):
    """The one code block of this language on the page."""
    block, = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    return block


@pytest.fixture
def mails(database):
    """The database of a consumer, with the table of the SQL snippet; a call gives the mails."""
    database.execute(snippet("sql"))
    return lambda: [who for who, in database.execute("select recipient from mail")]


def test_the_sql_snippet_acts_once_on_an_event_that_comes_twice(database, mails):
    event, other = str(uuid.uuid4()), str(uuid.uuid4())
    answers = [database.value("select handle_order(%s, %s)", [one, PAYLOAD])
               for one in (event, event, other, event)]
    assert answers == [True, False, True, False]
    assert mails() == ["ada", "ada"]


@contextmanager
def python_consumer(folder, database, topic):
    """The lines that the snippet's program has printed so far, as a function."""
    program = folder / "mailer.py"
    program.write_text(snippet("python"))
    output = folder / "mailer.log"
    environment = {**os.environ, "DATABASE_URL": database.url, "TOPIC": topic}
    with open(output, "wb") as log:
        process = subprocess.Popen(["/usr/bin/python3", program], env=environment, stdout=log,
                                   stderr=subprocess.STDOUT)
    try:
        yield lambda: output.read_text().split()
    finally:
        process.kill()
        process.wait()


def test_the_python_snippet_acts_once_on_a_record_that_comes_twice(
        tmp_path, database, topic, mails):
    event, other = str(uuid.uuid4()), str(uuid.uuid4())
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka_bootstrap()})
    for one in (event, event, other):
        producer.produce(topic, PAYLOAD, key="1", headers={"id": one, "type": "OrderPlaced"})
    assert producer.flush(30) == 0
    with python_consumer(tmp_path, database, topic) as lines:
        wait_until(lambda: len(lines()) >= 3, "the consumer took three records")
        assert lines() == ["acted", "repeat", "acted"]
    assert mails() == ["ada", "ada"]


def test_the_python_snippet_repeats_nothing_after_a_crash_before_its_offset_was_committed(
        database, topic, mails):
    """The record comes again then; the function is the snippet's own."""
    space = {"__name__": "mailer"}
    exec(compile(snippet("python"), str(PAGE), "exec"), space)

    class Record:
        def __init__(self, event):
            self.event = event

        def headers(self):
            return [("id", self.event.encode())]

        def value(self):
            return PAYLOAD.encode()

    event = str(uuid.uuid4())
    with closing(database.connect(autocommit=False)) as first, \
            closing(database.connect(autocommit=False)) as second:
        assert space["handle"](first, Record(event)) is True
        assert space["handle"](second, Record(event)) is False
    assert mails() == ["ada"]


def jdbc_url(url):
    parts = urlsplit(url)
    secret = f"&password={parts.password}" if parts.password else ""
    return (f"jdbc:postgresql://{parts.hostname}:{parts.port}{parts.path}"
            f"?user={parts.username}{secret}")


def test_the_java_snippet_acts_once_on_a_record_that_comes_twice(tmp_path, database, mails):
    jars = CHECKOUT / ".run" / "jdbc"
    subprocess.run([CHECKOUT / "ops" / "jars", CHECKOUT / "tests/integration/jdbc/pom.xml", jars],
                   check=True, timeout=300)
    program = tmp_path / "Mailer.java"
    program.write_text(snippet("java"))
    event, other = str(uuid.uuid4()), str(uuid.uuid4())
    records = "".join(f"{one}\t{PAYLOAD}\n" for one in (event, event, other))
    done = subprocess.run(["java", "-cp", f"{jars}/*", program], input=records, text=True,
                          capture_output=True, timeout=120,
                          env={**os.environ, "JDBC_URL": jdbc_url(database.url)})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["acted", "repeat", "acted"]
    assert mails() == ["ada", "ada"]
