"""Who may replay what, how often and how fast, in SQL (V004, V005)."""

import json

import pytest

from letters import PIPELINE, audit, edit, file, relay, states


def control(schema, job, act, role="operator"):
    return schema.value("select outbox.replay_control(%s, %s, 'because')", [job, act], role)


def spent(schema, ask="usual"):
    return schema.value("select spent from outbox.replay_file(%s, 'r', null, null, true, null, %s)",
                        [json.dumps({"pipeline": PIPELINE}), ask], "operator")


# --- the budget of held keys

def test_no_more_held_keys_come_due_at_once_than_the_budget_allows(schema, relay):
    for key in range(10):
        relay.write("held", key=str(key), retry_in="0")
    assert relay.jobs(retries=0) == []
    assert relay.jobs(retries=3) == [0]
    assert len(relay.letters_of(0)) == 3
    relay.jobs(retries=4)
    assert len(relay.letters_of(0)) == 7
    relay.jobs(retries=100)
    assert len(relay.letters_of(0)) == 10


def test_who_has_waited_longest_comes_first(schema, relay):
    for key in "abc":
        relay.write("held", key=key, retry_in="0")
    schema.execute("update outbox.lane set next_attempt_at = now() - interval '1 hour'"
                   " where aggregate_id = 'b'")
    relay.jobs(retries=1)
    assert relay.letters_of(0) == [2]


def test_the_wait_of_a_held_key_is_in_the_table_and_survives_a_restart(schema, relay):
    relay.write("held", key="a", retry_in="0")
    relay.jobs()
    relay.refused(1, first="1 hour")
    due = schema.value("select next_attempt_at from outbox.lane")
    relay.epoch = schema.value("select epoch from outbox.progress_take(%s, '7', 1, 'slot')",
                               [PIPELINE], role="relay")
    assert relay.jobs() == []
    assert schema.execute("select next_attempt_at, attempts from outbox.lane") == [(due, 1)]


def test_waits_grow_twofold_up_to_the_longest_with_full_jitter(schema, relay):
    waits = {attempts: [] for attempts in range(4)}
    for number in range(40):
        relay.write("held", key=str(number), retry_in="0")
    for attempts in range(4):
        for letter in range(1, 41):
            relay.refused(letter, first="100 s", most="1000 s", attempts=100)
        waits[attempts] = [float(wait) for wait, in schema.execute(
            "select extract(epoch from next_attempt_at - clock_timestamp()) from outbox.lane")]
    for attempts, limit in enumerate([200, 400, 800, 1000]):
        assert limit * 0.75 < max(waits[attempts]) <= limit
        assert min(waits[attempts]) < limit * 0.25


# --- the loop guard

def test_a_letter_that_jobs_tried_too_often_is_taken_by_a_forced_one_only(schema, relay):
    relay.policies({"route": "orders", "replays_max": 2})
    relay.write("dead", key="a", route="orders")
    relay.write(key="b", route="orders")
    relay.write(key="b", code=None, route="orders")
    for _ in range(2):
        assert spent(schema) == 0
        file(schema)
        relay.refused(1)
        relay.refused(2)
    assert spent(schema) == 2, "the dead letter, and the first of its key"
    assert file(schema) == (None, 0, 0, 0)
    assert spent(schema, "forced") == 0
    job, letters, _, _ = file(schema, ask="forced")
    assert letters == 3 and relay.letters_of(job) == [1, 2, 3]


def test_the_relays_own_tries_of_a_held_key_are_no_replays_that_somebody_asked_for(schema, relay):
    relay.policies({"route": "orders", "replays_max": 2})
    relay.write("held", key="a", retry_in="0", route="orders")
    for _ in range(5):
        relay.jobs()
        relay.refused(1, first="0", most="0", attempts=100)
    assert schema.execute("select replays, replays_asked from outbox.dead_letter") == [(5, 0)]
    assert spent(schema) == 0 and file(schema)[1] == 1


def test_an_edited_letter_begins_anew(schema, relay):
    relay.policies({"route": "orders", "replays_max": 1})
    relay.write("dead", route="orders")
    file(schema)
    relay.refused(1)
    assert file(schema)[0] is None
    edit(schema, 1, payload=b"mended")
    assert file(schema)[1] == 1


def test_a_replay_is_not_asked_for_in_another_way(schema, relay):
    for ask in ("always", None):
        diag = schema.refusal("select outbox.replay_file(%s, 'r', ask => %s)",
                              [json.dumps({"pipeline": PIPELINE}), ask], "operator")
        assert "cannot be asked for" in diag.message_primary


# --- automatic replay

AUTOMATIC = {"route": "orders", "automatic_rate_first": 10, "automatic_rate_most": 100,
             "automatic_failures_max": 2, "automatic_replays_max": 2}


def automatic(schema, route="orders"):
    return schema.value("select outbox.replay_automatic(%s, %s)", [PIPELINE, route], "relay")


def test_an_automatic_replay_is_a_job_of_its_route_that_the_relay_asked_for(schema, relay):
    relay.policies(AUTOMATIC, {"route": "others"})
    relay.write("dead", route="orders")
    relay.write("dead", route="others")
    assert automatic(schema, "others") is None, "that route does not want it"
    job = automatic(schema)
    assert relay.letters_of(job) == [1]
    assert automatic(schema) is None, "one at a time"
    who, reason = schema.execute("select who, reason from outbox.audit where job = %s", [job])[0]
    assert who == schema.logins["relay"] == schema.value("select asked_by from outbox.replay_job")
    assert reason.startswith("automatic: route orders")


def test_without_letters_no_automatic_replay_is_filed(schema, relay):
    relay.policies(AUTOMATIC)
    assert automatic(schema) is None
    assert schema.value("select count(*) from outbox.replay_job") == 0


def test_an_automatic_replay_begins_slowly_grows_and_has_its_limit(schema, relay):
    relay.policies(AUTOMATIC)
    relay.write("dead", route="orders")
    job = automatic(schema)
    for delivered, rate in ((0, 10), (100, 20), (500, 60), (5000, 100)):
        schema.execute("update outbox.replay_job set delivered = %s", [delivered])
        assert relay.rates() == [(job, rate)]


def test_an_automatic_replay_stops_after_its_failures_and_leaves_what_came_back_too_often(
        schema, relay):
    relay.policies(AUTOMATIC)
    for _ in range(3):
        relay.write("dead", route="orders")
    for _ in range(2):
        automatic(schema)
        relay.refused(1)
        relay.refused(2)
        assert schema.value("select state from outbox.replay_job order by job desc") == "stopped"
    job = automatic(schema)
    assert relay.letters_of(job) == [3], "1 and 2 came back twice"
    relay.delivered(3)
    relay.passed(job)
    assert automatic(schema) is None
    assert file(schema)[1] == 2, "an operator may"


# --- a second approver

@pytest.fixture
def proposed(schema, relay):
    relay.policies({"route": "payments", "approval": True}, {"route": "orders"})
    relay.write(key="a", route="payments")
    relay.write("dead", key="b", route="orders")
    return file(schema)[0]


def test_a_replay_of_a_route_that_demands_it_waits_for_somebody_else(schema, relay, proposed):
    assert schema.value("select state from outbox.replay_job") == "proposed"
    assert relay.jobs() == [] and relay.letters_of(proposed) == []
    diag = schema.refusal("select outbox.replay_control(%s, 'approve', 'me')", [proposed],
                          "operator")
    assert "may not approve it" in diag.message_primary
    assert relay.jobs() == []
    assert control(schema, proposed, "approve", "superuser") == "open"
    assert relay.jobs() == [proposed] and relay.letters_of(proposed) == [2, 1]
    asked, approved = schema.execute("select asked_by, approved_by from outbox.replay_job")[0]
    assert asked == schema.logins["operator"] and approved not in (asked, None)
    assert ("replay approve", approved) in schema.execute("select action, who from outbox.audit")


def test_set_role_makes_nobody_somebody_else(schema, relay, proposed):
    with schema.as_role("operator") as cursor:
        cursor.execute("set role outbox_operator")
        with pytest.raises(Exception, match="may not approve it"):
            cursor.execute("select outbox.replay_control(%s, 'approve', 'me')", [proposed])


@pytest.mark.parametrize("act", ["pause", "resume"])
def test_there_is_no_way_around_the_approval(schema, relay, proposed, act):
    for role in ("operator", "superuser"):
        diag = schema.refusal("select outbox.replay_control(%s, %s, 'r')", [proposed, act], role)
        assert "is not approved yet" in diag.message_primary
    schema.refusal("update outbox.replay_job set state = 'open'", role="operator")
    schema.refusal("delete from outbox.replay_policy", role="operator")
    schema.refusal("select outbox.replay_policies('orders', '[]')", role="operator")
    assert relay.jobs() == []


def test_a_proposal_may_be_ended_and_its_letters_are_free_again(schema, relay, proposed):
    assert file(schema, dry_run=True) == (None, 0, 0, 2)
    control(schema, proposed, "end")
    assert file(schema, dry_run=True)[1] == 2


def test_only_what_is_proposed_is_approved_and_only_once(schema, relay, proposed):
    control(schema, proposed, "approve", "superuser")
    diag = schema.refusal("select outbox.replay_control(%s, 'approve', 'r')", [proposed],
                          "superuser")
    assert "waits for nobody: it is open" in diag.message_primary


def test_a_replay_of_other_routes_needs_no_approval(schema, relay, proposed):
    relay.write("dead", key="c", route="orders")
    job = file(schema)[0]
    assert relay.jobs() == [job]


def test_an_automatic_replay_of_such_a_route_is_proposed_by_the_relay(schema, relay):
    relay.policies({**AUTOMATIC, "approval": True})
    relay.write("dead", route="orders")
    job = automatic(schema)
    assert schema.value("select state from outbox.replay_job") == "proposed"
    assert automatic(schema) is None
    assert control(schema, job, "approve") == "open"


def test_policies_are_those_of_the_relays_last_start(schema, relay, proposed):
    relay.policies({"route": "payments"})
    assert schema.execute("select route, approval from outbox.replay_policy") == [
        ("payments", False)]
    assert relay.jobs() == [], "what was proposed before still waits"
