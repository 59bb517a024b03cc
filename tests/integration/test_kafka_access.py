"""TLS with SASL to Kafka: what is right works; what is wrong is named, loses nothing, and heals
when it is mended (issue, Build 6; fault matrix 39, 40).

One broker with a TLS listener. The relays with a wrong start run side by side, since a refused
password is tried again every half minute only.
"""

import os
import re
import shutil
import signal
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
    users = {"relay": PASSWORD, "late": PASSWORD, "rotated": PASSWORD}
    with ExitStack() as exits:
        kafka = exits.enter_context(SecureKafka(folder / "kafka", certificate, key, users))
        database = exits.enter_context(Database())
        topic = create_topic(unique_name("secure"), partitions=3, bootstrap=kafka.plain)
        postbox = Postbox(topic, kafka.plain)
        exits.callback(postbox.close)
        shop = Shop(database)
        exits.callback(shop.close)
        yield SimpleNamespace(folder=folder, ours=ours, strangers=strangers, kafka=kafka,
                              database=database, topic=topic, postbox=postbox, shop=shop)


def relay_of(place, name, mechanism="SCRAM-SHA-512", user="relay", password=PASSWORD, ca=None,
             bootstrap=None, protocol="SASL_SSL"):
    """The password comes from a file, as people keep it."""
    port = free_port()
    slot = unique_name(name).replace(".", "_")
    folder = place.folder / name
    folder.mkdir()
    (folder / "password").write_text(password + "\n")
    properties = (f'"security.protocol" = "{protocol}", "sasl.mechanism" = "{mechanism}",'
                  f' "sasl.username" = "{user}",'
                  f' "sasl.password" = "${{file:{folder / "password"}}}"')
    if protocol.endswith("SSL"):
        properties += f', "ssl.ca.location" = "{ca or place.ours.certificate}"'
    text = config_text.whole(port, slot, [route(place.topic)], name=name, properties=properties)
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
            "plain": relay_of(place, "plain", "PLAIN", password=WRONG),
            "cleartext": relay_of(place, "cleartext", protocol="SASL_PLAINTEXT"),
        }
        for relay in self.relays.values():
            relay.start()
        for name, relay in self.relays.items():
            wait_until(lambda: place.database.value(
                "select count(*) from pg_replication_slots where slot_name = %s and active",
                [relay.slot]), f"the slot of {name} is there")
        self.events = [place.shop.publish() for _ in range(10)]

    def stop(self):
        for relay in self.relays.values():
            if relay.running():
                relay.stop()


@pytest.fixture(scope="module")
def wrong(place):
    wrong = Wrong(place)
    yield wrong
    wrong.stop()


SAYS = {"ca": "certificate verify failed|ssl.ca.location", "host": "127.0.0.1.*(certificate|SSL)",
        "password": "(?i)authentication failed", "plain": "(?i)authentication failed",
        "cleartext": "(?i)ssl|security.protocol"}


@pytest.mark.parametrize("what", SAYS)
def test_what_is_wrong_is_named_in_status_and_in_the_log(wrong, what):
    relay = wrong.relays[what]
    wait_until(lambda: re.search(SAYS[what], reason_of(relay)), f"the reason says {SAYS[what]}")
    assert relay.status()["state"] == "waiting"
    assert re.search(SAYS[what], relay.log_file.read_text())


@pytest.mark.parametrize("what", SAYS)
def test_doctor_names_the_same(wrong, what):
    done = wrong.relays[what].command("doctor")
    assert done.returncode in (1, 5) and re.search(SAYS[what], done.stdout), done.stdout


def test_no_password_is_in_what_they_say(wrong):
    for relay in wrong.relays.values():
        done = relay.command("doctor")
        said = relay.log_file.read_text() + relay.get("/status") + relay.get("/metrics")
        assert "s3cret-canary" not in said + done.stdout + done.stderr


def test_nothing_is_confirmed_while_kafka_lets_nobody_in(place, wrong):
    """An event that is not delivered stays in the slot; it is no dead letter either."""
    for relay in wrong.relays.values():
        found = relay.status()
        assert (found["totals"]["delivered"], found["totals"]["dead_lettered"]) == (0, 0)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_tls_with_sasl_delivers(place, mechanism):
    with relay_of(place, "right-" + mechanism.lower(), mechanism) as relay:
        place.postbox.await_ids([place.shop.publish() for _ in range(10)])
        assert relay.status()["state"] == "ok"


def test_a_password_that_the_broker_learns_later_heals_and_nothing_was_lost(place, wrong):
    """Nothing is restarted, nothing reloaded."""
    place.kafka.set_scram("late", WRONG)
    relay = wrong.relays["password"]
    wait_until(lambda: relay.status()["state"] == "ok", "it heals", 75)
    wait_until(lambda: relay.status()["totals"]["delivered"] >= len(wrong.events),
               "what was committed meanwhile is delivered")
    place.postbox.await_ids(wrong.events)


def test_a_password_that_is_mended_in_its_file_heals_by_sighup(place, wrong):
    relay = wrong.relays["plain"]
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
