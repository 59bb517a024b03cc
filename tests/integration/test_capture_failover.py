"""Ids of captured events are the same on a promoted standby (issue, Build 4; invariant 4)."""

from contextlib import ExitStack
from urllib.parse import urlsplit

from capture_place import ALL, CapturePlace, capture
from cluster import Cluster
from one_place import relay_of
from postbox import Postbox
from standby import Standby
from support.topic import create_topic, delete_topic, unique_name
from support.waiting import wait_until

ITEM = "create table shop.item (id int primary key, state text)"


def facts(records):
    return {(one.event_id, one.header("position"), one.key, one.value) for one in records}


def test_a_promoted_standby_gives_the_ids_that_the_old_primary_gave(tmp_path):
    captures = [capture("shop.item", **ALL)]
    with ExitStack() as exits:
        cluster = exits.enter_context(Cluster(tmp_path / "services"))
        place = exits.enter_context(
            CapturePlace(tmp_path / "relay", [ITEM], captures, server_url=cluster.url))
        place.start()
        standby = exits.enter_context(Standby(cluster))
        standby_slot = place.slot + "_b"
        place.database.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')",
                               [standby_slot])
        place.run("insert into shop.item select g, 'old' from generate_series(1, 20) g",
                  "update shop.item set id = 100 where id = 7",
                  "delete from shop.item where id = 8")
        place.of_key("8", 2)
        before = facts(place.arriving.records)
        assert len(before) == 23
        assert place.relay.stop() == 0
        standby.catch_up()
        standby.take_slot(standby_slot)
        standby.promote()
        standby.execute("insert into shop.item values (200, 'new')", database=place.database.name)

        topic = create_topic(unique_name("promoted"), partitions=3)
        exits.callback(delete_topic, topic)
        url = urlsplit(standby.url)._replace(path="/" + place.database.name).geturl()
        arriving = Postbox(topic)
        exits.callback(arriving.close)
        with relay_of(tmp_path / "promoted", place.database, topic, slot=standby_slot, url=url,
                      publication=place.slot, source_more="\n".join(captures)):
            wait_until(lambda: arriving.look() or len(arriving.records) >= 24, "all came", 30)
        assert before < facts(arriving.records)
