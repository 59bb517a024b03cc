"""TLS and SCRAM to Postgres: what is right works; what is wrong is named, and heals when it is
mended (issue, Build 6; fault matrix 39, 40).

One cluster with `ssl = on` and a pg_hba.conf of SCRAM over TLS only. The relays with a wrong start
run side by side, since a refused login is tried again every half minute only.
"""

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import SimpleNamespace
from urllib.parse import urlencode, urlsplit

import pytest

import config_text
from certificates import Authority
from cluster import Cluster
from config_text import route
from outbox import outbox
from postbox import Postbox
from service.port import free_port
from shop import Shop
from support.database import Database
from support.relay import Relay
from support.topic import create_topic, delete_topic, unique_name
from support.waiting import wait_until

HOST = "db.shop.test"
PASSWORD = "right-s3cret-canary"
WRONG = "wrong-s3cret-canary"
HBA = """
local   all all              trust
hostssl all all 127.0.0.1/32 scram-sha-256
hostssl replication all 127.0.0.1/32 scram-sha-256
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The cluster, its authorities, a database with the schema and a topic."""
    folder = tmp_path_factory.mktemp("access")
    ours, strangers = Authority(folder / "ours"), Authority(folder / "strangers", "stranger")
    certificate, key = ours.sign("server", [HOST])
    with ExitStack() as exits:
        cluster = exits.enter_context(Cluster(folder / "cluster"))
        cluster.put("server.crt", certificate.read_text())
        cluster.put("server.key", key.read_text())
        cluster.put("pg_hba.conf", HBA)
        cluster.set(ssl="on", password_encryption="scram-sha-256")
        cluster.restart()
        database = exits.enter_context(Database(server_url=cluster.url))
        cluster.execute(f"create role relay login replication in role outbox_relay"
                        f" password '{PASSWORD}'")
        topic = create_topic(unique_name("access"), partitions=3)
        exits.callback(delete_topic, topic)
        postbox = Postbox(topic)
        exits.callback(postbox.close)
        shop = Shop(database)
        exits.callback(shop.close)
        yield SimpleNamespace(folder=folder, ours=ours, strangers=strangers, cluster=cluster,
                              database=database, topic=topic, postbox=postbox, shop=shop)


def url_of(place, user="relay", password=PASSWORD, host=HOST, ca=None, mode="verify-full"):
    port = urlsplit(place.cluster.url).port
    options = {"hostaddr": "127.0.0.1", "sslmode": mode,
               "sslrootcert": ca or place.ours.certificate}
    return (f"postgresql://{user}:{password}@{host}:{port}/{place.database.name}?"
            + urlencode(options))


def relay_of(place, name, url, mode="wal"):
    port = free_port()
    slot = f"slot_{name}"
    text = config_text.whole(port, slot, [route(place.topic)], name=name, mode=mode)
    return Relay(place.folder / name, url, slot=slot, config=text, admin_port=port)


def reason_of(relay):
    return relay.status()["reason"]


class Wrong:
    """The relays that begin with something wrong, all started together."""

    def __init__(self, place):
        self.ca_file = place.folder / "trusted.crt"
        shutil.copy(place.strangers.certificate, self.ca_file)
        place.cluster.execute(f"create role late login replication in role outbox_relay"
                              f" password '{PASSWORD}'")
        self.relays = {
            "ca": relay_of(place, "ca", url_of(place, ca=self.ca_file)),
            "host": relay_of(place, "host", url_of(place, host="other.shop.test")),
            "password": relay_of(place, "password", url_of(place, user="late", password=WRONG)),
            "plain": relay_of(place, "plain", url_of(place, mode="disable")),
        }
        for relay in self.relays.values():
            relay.start()
        with ThreadPoolExecutor(len(self.relays)) as pool:
            done = pool.map(lambda relay: relay.command("doctor"), self.relays.values())
            self.doctor = dict(zip(self.relays, done))

    def stop(self):
        with ThreadPoolExecutor(len(self.relays)) as pool:
            list(pool.map(lambda relay: relay.running() and relay.stop(), self.relays.values()))


@pytest.fixture(scope="module")
def wrong(place):
    wrong = Wrong(place)
    yield wrong
    wrong.stop()


@pytest.mark.parametrize("what, says", [
    ("ca", "certificate verify failed"), ("host", "other.shop.test"),
    ("password", "password authentication failed for user"),
    ("plain", "no encryption|no pg_hba.conf entry")])
def test_what_is_wrong_is_named_in_status_and_in_the_log(wrong, what, says):
    relay = wrong.relays[what]
    wait_until(lambda: re.search(says, reason_of(relay)), f"the reason says {says}")
    assert relay.status()["state"] == "waiting"
    assert re.search(says, relay.log_file.read_text())
    assert relay.running(), "it waits to be mended"


@pytest.mark.parametrize("what", ["ca", "host", "password", "plain"])
def test_doctor_names_the_same(wrong, what):
    says = {"ca": "certificate verify failed", "host": "other.shop.test",
            "password": "password authentication failed", "plain": "no encryption|pg_hba"}[what]
    done = wrong.doctor[what]
    assert done.returncode in (1, 5) and re.search(says, done.stdout), done.stdout


def test_no_password_is_in_what_they_say(wrong):
    for name, relay in wrong.relays.items():
        said = relay.log_file.read_text() + relay.get("/status") + relay.get("/metrics")
        done = wrong.doctor[name]
        said += done.stdout + done.stderr
        assert "s3cret-canary" not in said


def test_scram_over_tls_with_verify_full_delivers(place):
    with relay_of(place, "right", url_of(place)) as relay:
        place.postbox.await_ids([place.shop.publish() for _ in range(10)])
        used = place.database.execute(
            "select distinct s.ssl from pg_stat_activity a join pg_stat_ssl s using (pid)"
            " where a.usename = 'relay'")
        assert used == [(True,)]
        assert relay.status()["state"] == "ok"


def test_polling_over_tls_brings_rows_of_every_size_over_one_connection(place):
    """A relay that waited for a socket whose rest OpenSSL holds would give it up after 15 s."""
    with relay_of(place, "polled", url_of(place), mode="poll") as relay:
        place.postbox.await_ids([place.shop.publish()])
        for size in (9_000, 16_000, 17_000, 40_000, 100_000):
            payloads = [json.dumps("x" * (size + more)) for more in range(0, 900, 60)]
            with place.shop.transaction() as cursor:
                written = [place.shop.publish(payload=payload, cursor=cursor)
                           for payload in payloads]
            place.postbox.await_ids(written, patience_s=10)
        assert relay.metrics()['outbox_source_reconnects_total{pipeline="polled"}'] == 0


def test_channel_binding_may_be_required(place):
    with relay_of(place, "bound", url_of(place) + "&channel_binding=require"):
        place.postbox.await_ids([place.shop.publish()])


def test_schema_commands_work_over_verified_tls_too(place):
    superuser = urlsplit(place.cluster.url)
    url = url_of(place, user=superuser.username, password=superuser.password)
    assert outbox("schema", "status", DATABASE_URL=url).code == 0
    refused = outbox("schema", "status", DATABASE_URL=url.replace(HOST, "other.shop.test"))
    assert refused.code == 5 and "other.shop.test" in refused.err


def test_a_wrong_ca_wrong_host_and_wrong_password_heal_when_they_are_mended(place, wrong):
    """None of the relays is restarted; a refused login is asked again every half minute."""
    shutil.copy(place.ours.certificate, wrong.ca_file)
    certificate, key = place.ours.sign("mended", [HOST, "other.shop.test"])
    place.cluster.put("server.crt", certificate.read_text())
    place.cluster.put("server.key", key.read_text())
    place.cluster.put("pg_hba.conf", HBA.replace("hostssl", "host"))
    place.cluster.reload()
    place.cluster.execute(f"alter role late password '{WRONG}'")
    for name, relay in wrong.relays.items():
        wait_until(lambda: relay.status()["state"] == "ok", f"{name} heals", 45)
    event_id = place.shop.publish()
    place.postbox.await_ids([event_id])
    wait_until(lambda: place.postbox.look() or len(place.postbox.arrivals(event_id)) == 4,
               "each of the four delivered it")


@pytest.mark.fault_row(40)
def test_a_password_that_is_changed_under_a_running_relay_is_named_and_nothing_is_lost(place):
    place.cluster.execute(f"create role rotated login replication in role outbox_relay"
                          f" password '{PASSWORD}'")
    relay = relay_of(place, "rotated", url_of(place, user="rotated"))
    with relay:
        before = place.shop.publish()
        place.postbox.await_ids([before])
        place.cluster.execute("alter role rotated password 'another'")
        place.cluster.execute("select pg_terminate_backend(pid) from pg_stat_activity"
                              " where usename = 'rotated'")
        wait_until(lambda: "password authentication failed" in reason_of(relay), "it is named")
        while_away = [place.shop.publish() for _ in range(5)]
        place.cluster.execute(f"alter role rotated password '{PASSWORD}'")
        place.postbox.await_ids(while_away, 45)
