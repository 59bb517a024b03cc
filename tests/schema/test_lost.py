"""What verify found lost becomes letters, once (outbox.lost_file, V005__replay.sql)."""

import json
import uuid

import pytest

from letters import PIPELINE, file, relay

NEVER = "2000-01-01"  # a comparison that began before anything was delivered
NOW = "2100-01-01"


def lost(seq, key="k", event_id=None, payload=b"p", **more):
    return {"seq": seq, "id": str(event_id or uuid.uuid4()), "aggregate_type": "order",
            "aggregate_id": key, "event_type": "E", "payload": payload.hex(),
            "payload_kind": "bytes", "headers": {}, "headers_fault": None, "extras": {},
            "commit_time_us": 1_767_312_000_000_000, "topic": "order.events", "detail": "why",
            **more}


def file_lost(schema, *events, found_at=NOW, reason="tail lost", role="operator"):
    """[(seq, letter, filed)]"""
    return schema.execute("select * from outbox.lost_file(%s, %s, %s, %s)",
                          [PIPELINE, found_at, json.dumps(events), reason], role)


def test_a_lost_event_is_a_dead_letter_with_all_that_its_record_needs(schema, relay):
    event = lost(7, key=None, payload=b"\x00\xff", headers={"a": "b", "n": None},
                 extras={"region": "text=eu"})
    assert file_lost(schema, event) == [(7, 1, True)]
    assert schema.execute(
        "select state, kept_as, event_id::text, aggregate_type, aggregate_id, event_type,"
        " encode(payload, 'hex'), headers::text, extras::text,"
        " extract(epoch from commit_time)::bigint, seq, source_position, topic, first_code,"
        " last_code, first_detail, attempts from outbox.dead_letter"
        ) == [("dead", "dead", event["id"], "order", None, "E", "00ff", '{"a": "b", "n": null}',
               '{"region": "text=eu"}', 1767312000, 7, "7", "order.events", "LOST", "LOST", "why",
               0)]
    job, letters, _, _ = file(schema, cause="LOST")
    assert letters == 1 and relay.letters_of(job) == [1]


def test_the_rules_of_its_route_hold_for_what_was_lost(schema, relay):
    relay.policies({"route": "orders", "approval": True})
    file_lost(schema, lost(7, route="orders"))
    assert file(schema, cause="LOST")[1] == 1
    assert schema.value("select state from outbox.replay_job") == "proposed"


def test_asked_again_it_files_none_twice(schema, relay):
    events = [lost(7), lost(8)]
    assert file_lost(schema, *events) == [(7, 1, True), (8, 2, True)]
    assert file_lost(schema, *events) == [(7, 1, False), (8, 2, False)]
    assert schema.value("select count(*) from outbox.dead_letter") == 2
    relay.delivered(1, 2)
    assert file_lost(schema, *events, found_at=NEVER) == [(7, 1, False), (8, 2, False)]
    assert schema.value("select count(*) from outbox.audit where action = 'found lost'") == 2


def test_what_was_delivered_before_the_comparison_and_is_lost_since_comes_again_in_its_order(
        schema, relay):
    again, early = lost(8), lost(7)
    file_lost(schema, again)
    relay.delivered(1)
    assert file_lost(schema, early, again) == [(7, 2, True), (8, 1, True)]
    job = file(schema, cause="LOST")[0]
    assert relay.letters_of(job) == [2, 1], "by the numbers of their rows"


def test_a_letter_that_waits_or_was_given_up_stays_as_it_is(schema, relay):
    event_id = uuid.uuid4()
    relay.write("parked", event_id=event_id)
    assert file_lost(schema, lost(7, event_id=event_id)) == [(7, 1, False)]
    schema.execute("select outbox.letters_discard(%s, 'known')",
                   [json.dumps({"pipeline": PIPELINE})], "operator")
    assert file_lost(schema, lost(7, event_id=event_id)) == [(7, 1, False)]
    assert schema.value("select state from outbox.dead_letter") == "discarded"


def test_an_event_that_the_relay_refuses_once_more_is_the_same_letter(schema, relay):
    """The digest that lost_file makes is the relay's."""
    event_id = uuid.uuid4()
    file_lost(schema, lost(7, event_id=event_id))
    relay.write("dead", event_id=event_id)
    assert schema.value("select count(*) from outbox.dead_letter") == 1


def test_who_did_it_and_why_is_in_the_audit(schema, relay):
    file_lost(schema, lost(7), reason="tail lost")
    action, letter, reason, who, seq = schema.execute(
        "select action, letter, reason, who, (detail ->> 'seq')::bigint from outbox.audit")[0]
    assert (action, letter, reason, seq) == ("found lost", 1, "tail lost", 7)
    assert who == schema.logins["operator"]
    assert schema.value("select relay from outbox.dead_letter") == f"outbox verify of {who}"


@pytest.mark.parametrize("reason", ["", None])
def test_who_repairs_says_why(schema, relay, reason):
    diag = schema.refusal("select outbox.lost_file(%s, now(), '[]', %s)", [PIPELINE, reason],
                          role="operator")
    assert "says why" in diag.message_primary


@pytest.mark.parametrize("role", ["relay", "reader", "writer"])
def test_only_operators_may_repair(schema, relay, role):
    diag = schema.refusal("select outbox.lost_file(%s, now(), '[]', 'r')", [PIPELINE], role=role)
    assert diag.sqlstate == "42501"
