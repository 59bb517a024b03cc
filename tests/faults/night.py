"""A bad night: six kinds of poison, a topic deleted, a limit lowered, a right taken away, a broker
off, and the relay killed all along. Then the mend, a replay, and what an independent reader finds.

Nobody inserts into one key from two connections: the table's seq is the order of each key.
"""

import json
import random
import subprocess
import time
from collections import Counter, defaultdict

from service.kafka import jars
from support.database import Database
from support.relay import Relay
from support.services import Services
from support.topic import (TopicReader, configure_topic, create_topic, delete_topic, topic_names,
                           unique_name)
from support.waiting import wait_until

LIMIT = 3_000
LOWERED = 400
# Brokers that know rights, and let everybody do what no rule is about.
_RIGHTS = ("authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
           "allow.everyone.if.no.acl.found=true")
_ROUTES = """
brake = {{ window_events = 0 }}

[[pipeline.route]]
match = {{ aggregate_type = "order" }}
topic = "{order}"
on_failure = "park"

[[pipeline.route]]
match = {{ aggregate_type = "invoice" }}
topic = "{invoice}"
on_failure = "hold"
hold = {{ first_ms = 50, most_ms = 1000, attempts_max = 1000000 }}

[[pipeline.route]]
match = {{ aggregate_type = "stock" }}
topic = "{stock}"
on_failure = "park"

[[pipeline.route]]
match = {{ aggregate_type = "price" }}
topic = "{price}"
on_failure = "park"

[[pipeline.route]]
match = {{ event_type = "stray" }}
topic = "{stray}.${{aggregate_type}}"
on_failure = "dead-letter"
"""
# The right cause of each kind; those that no mend of a broker helps stay letters.
POISON = {
    "too large": ("order", "MSG_SIZE_TOO_LARGE"),
    "reserved header": ("order", "RESERVED_HEADER"),
    "no key": ("price", "KEY_REQUIRED"),
    "no topic": ("ghost", "UNKNOWN_TOPIC"),
    "no name": ("bad name", "ILLEGAL_TOPIC"),
    "no headers": ("order", "HEADERS_NOT_AN_OBJECT")}
FOR_EVER = {"ILLEGAL_TOPIC", "HEADERS_NOT_AN_OBJECT", "RESERVED_HEADER"}
# What else may be the last word on an event of the night, by what was done to its topic.
_TROUBLE = {"order": {"MSG_SIZE_TOO_LARGE"}, "price": set(), "ghost": set(), "bad name": set(),
            "invoice": {"UNKNOWN_TOPIC", "UNKNOWN_TOPIC_OR_PART"},
            "stock": {"TOPIC_AUTHORIZATION_FAILED"}}

_INSERT = """
insert into outbox.event (aggregate_type, aggregate_id, event_type, payload_bytes, headers)
select case when kind = 1 then 'price' when kind = 2 then 'ghost' when kind = 3 then 'bad name'
            when kind < 6 then 'order'
            when n %% 5 = 0 and n > %(invoices_from)s then 'invoice'
            else (array['order', 'order', 'order', 'stock', 'price'])[1 + n %% 5] end,
       case when kind = 1 then null else 'key-' || n %% %(keys)s end,
       case when kind in (2, 3) then 'stray' else 'changed' end,
       convert_to(n || repeat('x', case when kind = 0 then %(limit)s + 500 else 80 end), 'UTF8'),
       case kind when 4 then '{"id": "mine"}'::jsonb when 5 then '[1]' else '{}' end
from (select n, case when n %% 100 = 7 then n / 100 %% 6 else 9 end as kind
      from generate_series(%(first)s::bigint, %(last)s) n) n"""


class Night:
    """`with Night(folder) as night:` a broker with rights, a database whose table takes what our
    own would refuse, and a relay that is not started yet."""

    def __init__(self, folder, events, keys, seed=1):
        self.events = events
        self._folder = folder
        self._keys = keys
        self._draw = random.Random(seed)
        self._invoices_from = events  # none, until their topic was deleted
        self.kills = 0

    def __enter__(self):
        self.cluster = Services.private()
        self.cluster.start("kafka", kafka_settings=_RIGHTS)
        self.bootstrap = self.cluster.env()["KAFKA_BOOTSTRAP"]
        self.topics = {name: unique_name(name) for name in ("order", "invoice", "stock", "price")}
        self._stray = unique_name("stray")
        for name, topic in self.topics.items():
            self._create(name, topic)
        self.database = Database()
        self.database.__enter__()
        self.database.execute("alter table outbox.event drop constraint event_is_valid")
        self.relay = Relay(self._folder / "relay", self.database.url, bootstrap=self.bootstrap)
        with open(self.relay.config_file, "a") as config:
            config.write(_ROUTES.format(stray=self._stray, **self.topics))
        return self

    def __exit__(self, failure, *_):
        if self.relay.running():
            self.relay.kill()
        if failure is not None:
            print(f"--- {self.relay.log_file}\n{self.relay.log_tail(40)}")
        self.database.__exit__()
        self.cluster.__exit__()

    def _create(self, name, topic):
        compact = {"cleanup_policy": "compact"} if name == "price" else {}
        create_topic(topic, partitions=6, bootstrap=self.bootstrap, max_message_bytes=LIMIT,
                     **compact)

    # ---- what happens

    def write(self, share):
        """The next part of the events, a thousand a transaction."""
        first = self.database.value("select count(*) from outbox.event") + 1
        last = min(self.events, first + round(self.events * share))
        for begin in range(first, last + 1, 1000):
            self.database.execute(_INSERT, {
                "keys": self._keys, "limit": LIMIT, "first": begin, "last": min(begin + 999, last),
                "invoices_from": self._invoices_from})

    def kill(self):
        """At a moment nobody chose."""
        time.sleep(self._draw.uniform(0, 0.4))
        self.relay.kill()
        self.kills += 1
        self.relay.start()

    def delete_topic(self):
        """Before its first record: whoever deletes a topic deletes what was delivered to it."""
        delete_topic(self.topics["invoice"], self.bootstrap)
        self._invoices_from = self.database.value("select count(*) from outbox.event")

    def lower_limit(self):
        """Under a running relay, which goes by the limit that it knows: the first record between
        the two the broker alone refuses."""
        self.relay.wait_ready(60)
        configure_topic(self.topics["order"], self.bootstrap, max_message_bytes=LOWERED)
        self.database.execute(
            "select outbox.publish('order', 'key-8', 'changed', repeat('x', %s)::bytea)",
            [(LOWERED + LIMIT) // 2])
        wait_until(lambda: self.refused_by_the_broker() > 0, "the broker refuses it", 60)

    def take_right(self):
        self._change_rule("--add")

    def broker_off(self, seconds):
        self.cluster.kill("kafka-1")
        time.sleep(seconds)
        self.cluster.start("kafka")

    def mend(self):
        """Everything that can be mended is."""
        # A broker goes on deleting for a moment.
        wait_until(lambda: self.topics["invoice"] not in topic_names(self.bootstrap), "it is gone")
        self._create("invoice", self.topics["invoice"])
        create_topic(f"{self._stray}.ghost", partitions=6, bootstrap=self.bootstrap)
        configure_topic(self.topics["order"], self.bootstrap)
        configure_topic(self.topics["price"], self.bootstrap)
        self._change_rule("--remove", "--force")

    def _change_rule(self, *act):
        """By Kafka's own tool: nobody may write to this topic, or everybody again."""
        subprocess.run(["java", "-XX:TieredStopAtLevel=1", "-cp", f"{jars()}/*",
                        "org.apache.kafka.tools.AclCommand", "--bootstrap-server", self.bootstrap,
                        *act, "--topic", self.topics["stock"], "--operation", "Write",
                        "--deny-principal", "User:ANONYMOUS"],
                       check=True, capture_output=True, timeout=120)

    def replay(self):
        """Files a replay of all that is open and not taken; its number, or None."""
        return self.database.execute("select job from outbox.replay_file(%s, 'mended')",
                                     [json.dumps({"pipeline": self.relay.pipeline})])[0][0]

    # ---- what it came to

    def settled(self):
        """All that was committed is delivered or a letter."""
        return self.database.value(
            "select delivered_seq >= (select max(seq) from outbox.event) from outbox.progress")

    def at_rest(self):
        """Nothing is under way, and only what no mend helps is open."""
        if self.database.value("select count(*) from outbox.replay_job where state = 'open'"):
            return False
        codes = self.letters("dead", "held", "parked")
        if set(codes) <= FOR_EVER | {None}:
            return True
        self.replay()
        return False

    def letters(self, *states):
        return Counter(code for code, in self.database.execute(
            "select last_code from outbox.dead_letter where state = any(%s)", [list(states)]))

    def wrong_causes(self):
        """Letters whose first cause is none that their event has."""
        of_kind = defaultdict(set)
        for aggregate, code in POISON.values():
            of_kind[aggregate].add(code)
        found = self.database.execute(
            "select distinct aggregate_type, first_code from outbox.dead_letter"
            " where first_code is not null")
        return [(aggregate, code) for aggregate, code in found
                if code not in of_kind[aggregate] | _TROUBLE[aggregate]]

    def refused_by_the_broker(self):
        """Letters of records that the relay had let pass."""
        return self.database.value(
            "select count(*) from outbox.dead_letter where first_code = 'MSG_SIZE_TOO_LARGE'"
            " and first_detail not like 'the record weighs%%'")

    def verified(self):
        """The exit code of `outbox verify`, and its summary."""
        done = self.relay.command("verify", "--pipeline", self.relay.pipeline, "-o", "json")
        return done.returncode, json.loads(done.stdout)["summary"]

    def judge(self):
        """By a reader that is not ours: (lost, keys out of order, duplicates)."""
        arrived, repeats = self._arrived()
        open_ids = {one for one, in self.database.execute(
            "select event_id::text from outbox.open_letter join outbox.dead_letter using (letter)")}
        lost, disordered = 0, 0
        for (aggregate, key), ids in self._committed().items():
            expected = [one for one in ids if one not in open_ids]
            lost += sum(one not in arrived for one in expected)
            places = [arrived[one] for one in expected if one in arrived]
            ordered = key is not None and aggregate in self.topics  # strays go on past a letter
            disordered += ordered and places != sorted(places)
        return lost, disordered, repeats

    def _committed(self):
        """Ids by aggregate and key, in their order."""
        committed = defaultdict(list)
        for aggregate, key, one in self.database.execute(
                "select aggregate_type, aggregate_id, id::text from outbox.event order by seq"):
            committed[aggregate, key].append(one)
        return committed

    def _arrived(self):
        """{id: (partition, offset) of its first record}, and how many records are repeats."""
        arrived, repeats = {}, 0
        for topic in [*self.topics.values(), f"{self._stray}.ghost"]:
            with TopicReader(topic, self.bootstrap) as reader:
                for record in reader.read_to_end(600):
                    repeats += record.event_id in arrived
                    arrived.setdefault(record.event_id, (record.partition, record.offset))
        return arrived, repeats
