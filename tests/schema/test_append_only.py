"""Events are append-only: grants refuse a change to roles, a trigger to superusers by accident."""

import pytest

CHANGES = ["update outbox.event set event_type = 'Other'", "delete from outbox.event",
           "truncate outbox.event", "update outbox.event_p000001 set event_type = 'Other'",
           "delete from outbox.event_p000001", "truncate outbox.event_p000001",
           "delete from outbox.event where false"]


@pytest.fixture
def filled(schema):
    schema.execute("select outbox.publish('order', '1', 'E', '{}')", role="writer")
    return schema


@pytest.mark.parametrize("role", ["writer", "relay", "operator", "reader", "stranger"])
def test_no_role_but_the_owner_may_change_events(filled, role):
    for change in CHANGES:
        diag = filled.refusal(change, role=role)
        assert diag.sqlstate == "42501", change
        assert diag.message_primary.startswith("permission denied"), change


@pytest.mark.parametrize("role", ["superuser", "owner"])
def test_who_may_change_events_is_stopped_by_accident_and_told_how(filled, role):
    """Fault matrix 6b: a DBA edits, deletes, truncates outbox rows."""
    for change in CHANGES:
        diag = filled.refusal(change, role=role)
        assert diag.sqlstate == "42501"
        assert diag.message_primary.split()[0].lower() == change.split()[0]
        assert "is refused: events are append-only" in diag.message_primary
        assert "set local role outbox_owner" in diag.message_hint
    assert filled.value("select count(*) from outbox.event where event_type = 'E'") == 1


def test_retention_deletes_as_the_owner(filled):
    with filled.as_role("owner", autocommit=False) as cursor:
        cursor.execute("set local role outbox_owner")
        cursor.execute("delete from outbox.event where seq <= 1")
        assert cursor.rowcount == 1
        cursor.connection.commit()
    assert filled.value("select count(*) from outbox.event") == 0


def test_an_insert_fires_no_trigger(filled):
    assert filled.value("select count(*) from pg_trigger where tgrelid in (select partition::oid"
                        " from outbox.partition union select 'outbox.event'::regclass)"
                        " and tgtype & 4 <> 0 and not tgisinternal") == 0
