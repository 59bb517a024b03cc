"""format = "cloudevents": records that a CloudEvents consumer takes, in both content modes."""

import json
import re

import pytest

from config_text import route
from stage import Stage
from support.topic import create_topic, delete_topic, unique_name
from support.waiting import wait_until

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z"


def cloudevents(topic, aggregate_type, more=""):
    return route(topic, aggregate_type=aggregate_type) + f'format = "cloudevents"\n{more}\n'


@pytest.fixture(scope="module")
def topics():
    names = {mode: create_topic(unique_name(mode), partitions=3)
             for mode in ("binary", "structured")}
    yield names
    for name in names.values():
        delete_topic(name)


@pytest.fixture(scope="module")
def stage(tmp_path_factory, topics):
    routes = [cloudevents(topics["binary"], "order"),
              cloudevents(topics["structured"], "bill",
                          'cloudevents = { mode = "structured", source = "/shop/bills" }')]
    with Stage(tmp_path_factory.mktemp("cloudevents"), routes) as stage:
        yield stage


def arrival(stage, topic, number):
    """The record with this payload number, whatever its headers."""
    def found():
        stage.topics[topic].look()
        return next((r for r in stage.topics[topic].records
                     if r.value and number.encode() in r.value), None)
    return wait_until(found, f"the record with {number} arrives in {topic}")


def test_a_binary_cloudevent_has_attributes_as_headers_and_the_payload_as_value(stage, topics):
    event_id = stage.shop.publish(key="4711", event_type="OrderPlaced", payload='{"n": "b1"}',
                                  headers={"tenant": "a"})
    record = arrival(stage, topics["binary"], '"b1"')
    assert record.key == b"4711" and record.value == b'{"n": "b1"}'
    headers = {name: value.decode() for name, value in record.headers}
    assert re.fullmatch(TIME, headers.pop("ce_time"))
    assert headers.pop("position") and headers.pop("epoch")
    assert headers == {
        "ce_specversion": "1.0", "ce_id": event_id, "ce_source": "/outbox/order",
        "ce_type": "OrderPlaced", "ce_subject": "4711", "ce_aggregatetype": "order",
        "content-type": "application/json", "tenant": "a"}


def test_a_structured_cloudevent_is_a_json_document(stage, topics):
    event_id = stage.shop.publish("bill", key="4712", event_type="BillSent",
                                  payload='{"n": "s1", "total": 12.50}')
    record = arrival(stage, topics["structured"], '"s1"')
    assert record.header("content-type") == "application/cloudevents+json; charset=UTF-8"
    assert b'"data":{"n": "s1", "total": 12.50}' in record.value
    document = json.loads(record.value)
    assert re.fullmatch(TIME, document.pop("time"))
    assert document == {
        "specversion": "1.0", "id": event_id, "source": "/shop/bills", "type": "BillSent",
        "subject": "4712", "aggregatetype": "bill", "datacontenttype": "application/json",
        "data": {"n": "s1", "total": 12.5}}


def test_bytes_are_base64_in_a_structured_cloudevent(stage, topics):
    stage.shop.publish("bill", key="4713", payload=b"\x00\xff\x01{")
    record = arrival(stage, topics["structured"], "AP8Bew==")
    assert json.loads(record.value)["datacontenttype"] == "application/octet-stream"


def test_an_event_that_cannot_be_a_cloudevent_is_a_dead_letter_with_its_cause(stage, topics):
    """Invariant 1: it is neither sent nor lost, and what comes behind it is delivered."""
    event_id = stage.shop.publish("bill", payload=b"no json",
                                  headers={"content-type": "application/json"})
    stage.shop.publish("bill", payload='{"n": "behind"}')
    arrival(stage, topics["structured"], '"behind"')
    letter = stage.arrival(f"{topics['structured']}.dead-letter", event_id)
    assert letter.header("outbox.error.code") == "DATA_NOT_JSON"
    assert letter.value == b"no json"


def test_a_document_that_outgrows_the_topic_is_a_dead_letter(stage, topics):
    """The event fits, its base64 does not: only the sink can know."""
    event_id = stage.shop.publish("bill", payload=b"\xff" * 900_000)
    letter = stage.arrival(f"{topics['structured']}.dead-letter", event_id)
    assert letter.header("outbox.error.code") == "MSG_SIZE_TOO_LARGE"
