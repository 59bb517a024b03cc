"""A primary with a copy, and a relay whose URL names both."""

from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from urllib.parse import urlsplit

from cluster import Cluster
from one_place import relay_of
from postbox import Postbox
from server_side import saved
from shop import Shop
from support.database import Database
from support.topic import create_topic, delete_topic, unique_name
from support.waiting import wait_until


@contextmanager
def two_servers(folder, kind, mode="wal"):
    """`kind` is a class of standby.py. The relay runs and has delivered something."""
    with ExitStack() as exits:
        topic = create_topic(unique_name("failover"), partitions=3)
        exits.callback(delete_topic, topic)
        arriving = Postbox(topic)
        exits.callback(arriving.close)
        cluster = exits.enter_context(Cluster(folder / "services"))
        database = Database(server_url=cluster.url)
        database.__enter__()  # dies with its cluster
        other = exits.enter_context(kind(cluster))
        parts = urlsplit(database.url)
        hosts = f"{parts.username}:{parts.password}@{parts.hostname}:{parts.port},{other.address}"
        relay = relay_of(folder / "relay", database, topic, url=parts._replace(
            netloc=hosts, query="target_session_attrs=read-write").geturl(), mode=mode)
        exits.callback(lambda: relay.running() and relay.kill())
        shop = Shop(database)
        exits.callback(shop.close)
        relay.start()
        relay.wait_ready()
        arriving.await_ids([shop.publish()])
        wait_until(lambda: saved(database, relay.slot, "delivered_seq"), "a number is proven", 20)
        yield SimpleNamespace(cluster=cluster, database=database, other=other, relay=relay,
                              arriving=arriving, shop=shop, mode=mode)


def settle(place, event_ids):
    """They arrived, and that is saved."""
    place.arriving.await_ids(event_ids)
    if place.mode == "poll":
        wait_until(lambda: place.database.value(
            "select delivered_seq >= (select max(seq) from outbox.event) from outbox.progress"),
            "it is saved", 20)
        return
    lsn = place.database.value("select pg_current_wal_insert_lsn()")
    wait_until(lambda: place.database.value("select end_lsn >= %s from outbox.progress", [lsn]),
               "it is saved", 20)


def publish_there(place, count=1):
    """The ids."""
    rows = place.other.execute("select outbox.publish('order', g::text, 'after', '{}')::text"
                               " from generate_series(1, %s) g", [count], place.database.name)
    return [row[0] for row in rows]
