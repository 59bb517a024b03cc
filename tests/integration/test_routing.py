"""Where events go, and what becomes of those that cannot go there (issue: dead letters; 6b)."""

import re

import pytest

from config_text import route
from stage import Stage
from support.topic import create_topic, delete_topic, topic_names, unique_name
from support.waiting import wait_until

SMALL_LIMIT = 20_000


class Topics:
    """The topics of the module; `missing` is never there, `late` not at first."""

    def __init__(self):
        self.cancelled = create_topic(unique_name("cancelled"))
        self.orders = create_topic(unique_name("orders"))
        self.audit = create_topic(unique_name("audit"))
        self.small = create_topic(unique_name("small"), max_message_bytes=SMALL_LIMIT)
        self.compacted = create_topic(unique_name("compacted"), cleanup_policy="compact")
        self.missing, self.late = unique_name("missing"), unique_name("late")
        self.prefix = unique_name("by-type")
        self.by_type = create_topic(f"{self.prefix}.invoice")

    def routes(self):
        return [route(self.cancelled, aggregate_type="order", event_type="OrderCancelled"),
                route(self.orders, aggregate_type="order"),
                route(self.audit, event_type="Audit"),
                route(self.small, aggregate_type="small"),
                route(self.small, on_failure="skip", aggregate_type="skipped"),
                route(self.compacted, aggregate_type="compacted"),
                route(self.missing, aggregate_type="lost"),
                route(self.late, aggregate_type="late"),
                route(self.prefix + ".${aggregate_type}", aggregate_type="invoice"),
                route(self.prefix + ".${aggregate_type}", event_type="ByType")]

    def delete(self):
        for name in (self.cancelled, self.orders, self.audit, self.small, self.compacted,
                     self.by_type, self.late):
            delete_topic(name)


@pytest.fixture(scope="module")
def topics():
    topics = Topics()
    yield topics
    topics.delete()


@pytest.fixture(scope="module")
def stage(tmp_path_factory, topics):
    with Stage(tmp_path_factory.mktemp("routing"), topics.routes(), own_table=True) as stage:
        yield stage


def dead_letter(stage, topic, event_id):
    """The dead letter and (code, detail) of its cause."""
    record = stage.arrival(topic, event_id)
    return record, record.header("outbox.error.code"), record.header("outbox.error.detail")


def the_stream_goes_on(stage, topics):
    event_id = stage.shop.publish()
    stage.arrival(topics.orders, event_id)
    wait_until(lambda: "ok" == stage.relay.status()["state"], "the pipeline is ok")


# --- routes

def test_the_first_route_that_matches_wins(stage, topics):
    cancelled = stage.shop.publish("order", "1", event_type="OrderCancelled")
    placed = stage.shop.publish("order", "1", event_type="OrderPlaced")
    audited_order = stage.shop.publish("order", "1", event_type="Audit")
    stage.arrival(topics.cancelled, cancelled)
    stage.topics[topics.orders].await_ids([placed, audited_order])
    assert not stage.topics[topics.orders].arrivals(cancelled)


def test_a_route_may_match_by_event_type_alone(stage, topics):
    stage.arrival(topics.audit, stage.shop.publish("customer", "1", event_type="Audit"))


def test_the_aggregate_type_may_stand_in_the_topic(stage, topics):
    stage.arrival(topics.by_type, stage.shop.publish("invoice", "1"))


def test_without_routes_the_topic_is_outbox_event_and_the_aggregate_type(tmp_path):
    aggregate_type = unique_name("thing")
    topic = create_topic(f"outbox.event.{aggregate_type}")
    with Stage(tmp_path) as stage:
        stage.arrival(topic, stage.shop.publish(aggregate_type, "1"))
    delete_topic(topic)


# --- refusals

def test_no_route_is_a_dead_letter_of_the_pipeline_with_the_whole_event(stage, topics):
    event_id = stage.shop.publish("stranger", "key-7", '{"a": 1}', "Unheard", {"own": "h"})
    record, code, detail = dead_letter(stage, stage.dead_letters, event_id)
    assert code == "NO_ROUTE"
    assert '"stranger"' in detail and '"Unheard"' in detail
    assert (record.key, record.value) == (b"key-7", b'{"a": 1}')
    assert record.header("own") == "h" and record.header("type") == "Unheard"
    assert record.header("aggregate_type") == "stranger"
    assert re.fullmatch(r"[0-9A-F]+/[0-9A-F]+/\d+", record.header("position"))
    the_stream_goes_on(stage, topics)


def test_a_missing_topic_is_a_dead_letter_that_names_it_and_the_relay_does_not_make_it(
        stage, topics):
    event_id = stage.shop.publish("lost", "1")
    record, code, detail = dead_letter(stage, stage.dead_letters, event_id)
    assert code == "UNKNOWN_TOPIC" and topics.missing in detail
    assert record.header("outbox.error.topic") == topics.missing
    assert topics.missing not in topic_names()
    the_stream_goes_on(stage, topics)


def test_a_topic_that_is_made_later_is_found_without_a_restart(stage, topics):
    create_topic(topics.late)

    def taken():
        stage.shop.publish("late", "1")
        stage.topics[topics.late].look(0.3)
        return stage.topics[topics.late].records
    wait_until(taken, "events arrive in the new topic", pause_s=0.2)


@pytest.mark.parametrize("size", [SMALL_LIMIT, 5_000_000, 32_000_000])
def test_a_record_over_the_limit_of_its_topic_is_a_dead_letter_with_both_numbers(
        stage, topics, size):
    before = stage.shop.publish("small", "1", b"fits")
    event_id = stage.shop.publish("small", "1", b"x" * size)
    after = stage.shop.publish("small", "1", b"fits too")
    record, code, detail = dead_letter(stage, topics.small + ".dead-letter", event_id)
    assert code == "MSG_SIZE_TOO_LARGE"
    numbers = [int(number) for number in re.findall(r"\d+", detail.replace(topics.small, ""))]
    assert SMALL_LIMIT in numbers, detail
    assert any(size <= number < size + 2000 for number in numbers), detail
    assert record.value == b"x" * size
    assert [r.value for r in stage.topics[topics.small].await_ids([before, after])] == [
        b"fits", b"fits too"]
    assert not stage.topics[topics.small].arrivals(event_id)


def test_a_route_that_skips_drops_what_is_refused_and_counts_it(stage, topics):
    fits = stage.shop.publish("skipped", "1", b"fits")
    dropped = stage.shop.publish("skipped", "1", b"x" * (SMALL_LIMIT + 1))
    after = stage.shop.publish("skipped", "1", b"fits")
    stage.topics[topics.small].await_ids([fits, after])
    assert not stage.topics[topics.small].arrivals(dropped)
    wait_until(lambda: sum(value for name, value in stage.relay.metrics().items()
                           if name.startswith("outbox_events_skipped_total")) >= 1,
               "the skipped event is counted")


def test_a_keyless_event_for_a_compacted_topic_is_a_dead_letter(stage, topics):
    keyed = stage.shop.publish("compacted", "1")
    keyless = stage.shop.publish("compacted", None)
    _, code, detail = dead_letter(stage, topics.compacted + ".dead-letter", keyless)
    assert code == "KEY_REQUIRED" and topics.compacted in detail
    stage.arrival(topics.compacted, keyed)


@pytest.mark.parametrize("name", ["id", "type", "aggregate_type", "position", "epoch"])
def test_a_reserved_header_by_direct_insert_is_a_dead_letter(stage, topics, name):
    event_id = stage.shop.insert(headers=f'{{"{name}": "forged"}}', payload="{}")
    wait_until(lambda: topics.orders + ".dead-letter" in topic_names(), "the dead-letter topic")
    letters = stage.topics[topics.orders + ".dead-letter"]
    record = letters.await_ids([event_id])[0]
    assert record.header("outbox.error.code") == "RESERVED_HEADER"
    assert f'"{name}"' in record.header("outbox.error.detail")
    the_stream_goes_on(stage, topics)


@pytest.mark.parametrize("headers", ["[]", '["a"]', '"text"', "5", "null", "true"])
def test_headers_that_are_no_object_are_a_dead_letter(stage, topics, headers):
    event_id = stage.shop.insert(headers=headers)
    _, code, _ = dead_letter(stage, topics.orders + ".dead-letter", event_id)
    assert code == "HEADERS_NOT_AN_OBJECT"


@pytest.mark.parametrize("headers, text", [
    ('{"n": 5}', "5"), ('{"n": true}', "true"), ('{"n": {"a": [1, "x"]}}', '{"a": [1, "x"]}'),
    ('{"n": 12345678901234567890.5}', "12345678901234567890.5")])
def test_header_values_that_are_no_strings_arrive_as_their_json_text(stage, topics, headers, text):
    event_id = stage.shop.insert(headers=headers)
    assert stage.arrival(topics.orders, event_id).header("n") == text


@pytest.mark.parametrize("aggregate_type", ["two words", "größe", "a/b", "x" * 300, "a\nb"])
def test_a_topic_name_that_no_broker_takes_is_a_dead_letter_of_the_pipeline(
        stage, topics, aggregate_type):
    event_id = stage.shop.insert(aggregate_type=aggregate_type, event_type="ByType")
    _, code, detail = dead_letter(stage, stage.dead_letters, event_id)
    assert code == "ILLEGAL_TOPIC" and "249" in detail
    the_stream_goes_on(stage, topics)


def test_dead_letters_are_counted_per_route_and_shown_by_status(stage, topics):
    def counted():
        status = stage.relay.status()
        return sum(value for name, value in stage.relay.metrics().items()
                   if name.startswith("outbox_events_dead_lettered_total")), status
    before, _ = counted()
    stage.arrival(stage.dead_letters, stage.shop.publish("stranger", "1"))
    wait_until(lambda: counted()[0] == before + 1, "the dead letter is counted")
    assert counted()[1]["totals"]["dead_lettered"] == before + 1


def test_a_dead_letter_topic_takes_the_largest_row_that_the_schema_allows(stage, topics):
    """It is the only topic that the relay makes, with max.message.bytes above the CHECK."""
    from confluent_kafka.admin import AdminClient, ConfigResource, RESOURCE_TOPIC
    from support import environment
    stage.arrival(stage.dead_letters, stage.shop.publish("stranger", "1"))
    admin = AdminClient({"bootstrap.servers": environment.kafka_bootstrap()})
    resource = ConfigResource(RESOURCE_TOPIC, stage.dead_letters)
    settings = admin.describe_configs([resource])[resource].result()
    limit = int(settings["max.message.bytes"].value)
    assert 33_554_432 + 65_536 < limit <= 64 * 1024 * 1024


def test_order_per_key_holds_around_refused_records(stage, topics):
    """Invariant 3: what is refused leaves its place, the others keep theirs."""
    ids, refused = [], []
    with stage.shop.transaction() as cursor:
        for number in range(300):
            large = number % 37 == 5
            event_id = stage.shop.publish("small", f"k{number % 5}",
                                          b"x" * SMALL_LIMIT if large else b"%d" % number,
                                          cursor=cursor)
            (refused if large else ids).append(event_id)
    stage.topics[topics.small].await_ids(ids)
    arrived = [record.event_id for record in stage.topics[topics.small].records
               if record.event_id in set(ids)]
    assert arrived == ids
    stage.topics[topics.small + ".dead-letter"].await_ids(refused)
