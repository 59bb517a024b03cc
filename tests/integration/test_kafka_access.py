"""TLS with SASL to Kafka: what is right works; what is wrong is named, loses nothing, and heals
when it is mended (issue, Build 6; fault matrix 39, 40).

One broker with a TLS listener. The relays with a wrong start run side by side, since a refused
password is tried again every half minute only.
"""

import os
import re
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

import config_text
from certificates import Authority
from config_text import route
from postbox import Postbox
from secure_kafka import SecureKafka
from service.port import free_port
from shop import Shop
from support.database import Database
from support.relay import Relay
from support.topic import create_topic, unique_name
from support.waiting import wait_until

PASSWORD = "right-s3cret-canary"
WRONG = "wrong-s3cret-canary"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The broker, its authorities, a database with the schema and a topic."""
    folder = tmp_path_factory.mktemp("secure")
    ours, strangers = Authority(folder / "ours"), Authority(folder / "strangers", "stranger")
    certificate, key = ours.sign("broker", ["localhost"])
    users = {"relay": PASSWORD, "late": PASSWORD}
    with ExitStack() as exits:
        kafka = exits.enter_context(SecureKafka(folder / "kafka", certificate, key,
                                                ours.certificate, users))
        database = exits.enter_context(Database())
        topic = create_topic(unique_name("secure"), partitions=3, bootstrap=kafka.plain)
        postbox = Postbox(topic, kafka.plain)
        exits.callback(postbox.close)
        shop = Shop(database)
        exits.callback(shop.close)
        yield SimpleNamespace(folder=folder, ours=ours, strangers=strangers, kafka=kafka,
                              database=database, topic=topic, postbox=postbox, shop=shop)


def login_as(folder, user, password, mechanism):
    """The password comes from a file, as people keep it."""
    (folder / "password").write_text(password + "\n")
    return (f'"sasl.mechanism" = "{mechanism}", "sasl.username" = "{user}",'
            f' "sasl.password" = "${{file:{folder / "password"}}}"')


def relay_of(place, name, mechanism="PLAIN", user="relay", password=PASSWORD, ca=None,
             bootstrap=None, protocol="SASL_SSL", more=""):
    """The slot is there before the relay starts: what is committed from now on must arrive."""
    slot = unique_name("slot").replace(".", "_")
    place.database.execute("select outbox.create_publication(%s)", [slot])
    place.database.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", [slot])
    folder = place.folder / name
    folder.mkdir()
    properties = [f'"security.protocol" = "{protocol}"']
    if protocol.startswith("SASL"):
        properties.append(login_as(folder, user, password, mechanism))
    if protocol.endswith("SSL"):
        properties.append(f'"ssl.ca.location" = "{ca or place.ours.certificate}"')
    port = free_port()
    text = config_text.whole(port, slot, [route(place.topic)], name=name,
                             pipeline_more="drain_timeout_ms = 1000",
                             properties=", ".join(properties) + more)
    return Relay(folder, place.database.url, slot=slot, config=text, admin_port=port,
                 bootstrap=bootstrap or place.kafka.secure)


def reason_of(relay):
    return relay.status()["reason"]


class Wrong:
    """The relays that begin with something wrong, all started together."""

    def __init__(self, place):
        self.ca_file = place.folder / "trusted.crt"
        shutil.copy(place.strangers.certificate, self.ca_file)
        port = place.kafka.secure.rsplit(":", 1)[1]
        self.relays = {
            "ca": relay_of(place, "ca", ca=self.ca_file),
            "host": relay_of(place, "host", bootstrap=f"127.0.0.1:{port}"),
            "password": relay_of(place, "password", user="late", password=WRONG),
            "file": relay_of(place, "file", password=WRONG),
            "scram": relay_of(place, "scram", "SCRAM-SHA-512"),
            "cleartext": relay_of(place, "cleartext", protocol="SASL_PLAINTEXT"),
            "no certificate": relay_of(place, "no-certificate", bootstrap=place.kafka.mutual,
                                       protocol="SSL"),
        }
        for relay in self.relays.values():
            relay.start()
        with ThreadPoolExecutor(len(self.relays)) as pool:
            done = pool.map(lambda relay: relay.command("doctor"), self.relays.values())
            self.doctor = dict(zip(self.relays, done))
        self.events = [place.shop.publish() for _ in range(10)]

    def stop(self):
        with ThreadPoolExecutor(len(self.relays)) as pool:
            list(pool.map(lambda relay: relay.running() and relay.stop(), self.relays.values()))


@pytest.fixture(scope="module")
def wrong(place):
    wrong = Wrong(place)
    yield wrong
    wrong.stop()


SAYS = {"ca": "certificate verify failed|ssl.ca.location",
        "host": "127.0.0.1.*(certificate|SSL)",
        "password": "(?i)authentication failed", "file": "(?i)authentication failed",
        "scram": "Kafka 4 takes no SCRAM from librdkafka before 2.6.1",
        "cleartext": "(?i)ssl|security.protocol",
        "no certificate": "(?i)certificate"}


@pytest.mark.parametrize("what", SAYS)
def test_what_is_wrong_is_named_in_status_and_in_the_log(wrong, what):
    relay = wrong.relays[what]
    wait_until(lambda: re.search(SAYS[what], reason_of(relay)), f"the reason says {SAYS[what]}")
    assert relay.status()["state"] == "waiting"
    assert re.search(SAYS[what], relay.log_file.read_text())


@pytest.mark.parametrize("what", SAYS)
def test_doctor_names_the_same(wrong, what):
    done = wrong.doctor[what]
    assert done.returncode in (1, 5) and re.search(SAYS[what], done.stdout), done.stdout


def test_no_password_is_in_what_they_say(wrong):
    for name, relay in wrong.relays.items():
        done = wrong.doctor[name]
        said = relay.log_file.read_text() + relay.get("/status") + relay.get("/metrics")
        assert "s3cret-canary" not in said + done.stdout + done.stderr


def test_nothing_is_confirmed_while_kafka_lets_nobody_in(place, wrong):
    """An event that is not delivered stays in the slot; it is no dead letter either."""
    for relay in wrong.relays.values():
        found = relay.status()
        assert (found["totals"]["delivered"], found["totals"]["dead_lettered"]) == (0, 0)


def test_tls_with_sasl_delivers(place):
    with relay_of(place, "right") as relay:
        place.postbox.await_ids([place.shop.publish() for _ in range(10)])
        assert relay.status()["state"] == "ok"


def test_tls_with_a_client_certificate_delivers(place):
    certificate, key = place.ours.sign("client")
    more = f', "ssl.certificate.location" = "{certificate}", "ssl.key.location" = "{key}"'
    with relay_of(place, "mutual", bootstrap=place.kafka.mutual, protocol="SSL", more=more):
        place.postbox.await_ids([place.shop.publish() for _ in range(10)])


def test_a_password_that_the_broker_learns_later_heals_and_nothing_was_lost(place, wrong):
    """The broker is started again for it; the relays are not, nor reloaded. One that was well and
    has nothing to send is well again too."""
    with relay_of(place, "idle") as idle:
        place.kafka.set_password("late", WRONG)
        relay = wrong.relays["password"]
        wait_until(lambda: relay.status()["state"] == "ok", "it heals", 75)
        wait_until(lambda: relay.status()["totals"]["delivered"] >= len(wrong.events),
                   "what was committed meanwhile is delivered")
        wait_until(lambda: idle.status()["state"] == "ok", "the idle one is well", 10)
    place.postbox.await_ids(wrong.events)


def test_a_password_that_is_mended_in_its_file_heals_by_sighup(place, wrong):
    relay = wrong.relays["file"]
    (relay.folder / "password").write_text(PASSWORD + "\n")
    os.kill(relay.process.pid, signal.SIGHUP)
    wait_until(lambda: relay.status()["state"] == "ok", "it heals", 30)
    wait_until(lambda: relay.status()["totals"]["delivered"] >= len(wrong.events),
               "what was committed meanwhile is delivered")


def test_a_wrong_ca_heals_when_its_file_is_replaced(place, wrong):
    relay = wrong.relays["ca"]
    shutil.copy(place.ours.certificate, wrong.ca_file)
    os.kill(relay.process.pid, signal.SIGHUP)
    wait_until(lambda: relay.status()["state"] == "ok", "it heals", 75)
    wait_until(lambda: relay.status()["totals"]["delivered"] >= len(wrong.events),
               "what was committed meanwhile is delivered")
