"""A database with the migrations as plain SQL, and a login for each of the six roles."""

import hashlib
import uuid
from contextlib import closing, contextmanager

import psycopg2
import pytest

from support.database import Database, connect, with_user
from support.environment import CHECKOUT, database_url

MIGRATIONS = CHECKOUT / "outbox-schema" / "migrations"
_PASSWORD = "only-for-tests"


def migrations():
    """[(version, name, SQL text, checksum)] in order."""
    found = []
    for file in sorted(MIGRATIONS.glob("V*__*.sql")):
        version, name = file.stem.split("__", 1)
        checksum = hashlib.sha256(file.read_bytes()).hexdigest()
        found.append((int(version[1:]), name, file.read_text(), checksum))
    return found


def apply_migrations(connection):
    """What `outbox schema apply` does: each file in one transaction, with its row."""
    connection.autocommit = False
    for version, name, sql, checksum in migrations():
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            cursor.execute("insert into outbox.schema_migration (version, name, checksum)"
                           " values (%s, %s, %s)", [version, name, checksum])


class Schema:
    """A database with the outbox in it, and connections to it as this or that login."""

    def __init__(self, database, logins):
        self.database = database
        self.url = database.url
        self.logins = logins

    def url_as(self, role):
        return with_user(self.url, self.logins[role], _PASSWORD)

    @contextmanager
    def as_role(self, role, autocommit=True):
        """A cursor of the login that is a member of outbox_<role>; 'superuser' is us."""
        url = self.url if role == "superuser" else self.url_as(role)
        with closing(connect(url, autocommit)) as connection, connection.cursor() as cursor:
            yield cursor

    def execute(self, sql, arguments=None, role="superuser"):
        """One statement as this role in a connection of its own; rows if it has any."""
        with self.as_role(role) as cursor:
            cursor.execute(sql, arguments)
            return cursor.fetchall() if cursor.description else []

    def value(self, sql, arguments=None, role="superuser"):
        return self.execute(sql, arguments, role)[0][0]

    def refusal(self, sql, arguments=None, role="writer"):
        """The error that the statement must end with."""
        with pytest.raises(psycopg2.Error) as caught:
            self.execute(sql, arguments, role)
        return caught.value.diag

    def event(self, event_id):
        """The stored event as (type, key, event type, payload as text, bytes, headers)."""
        rows = self.execute("select aggregate_type, aggregate_id, event_type, payload::text,"
                            " payload_bytes, headers from outbox.event where id = %s", [event_id])
        assert len(rows) == 1
        return rows[0]


@contextmanager
def logins_on(server_url):
    """{role: login}: a login for each of the six roles, and one for a stranger. No rights yet."""
    suffix = uuid.uuid4().hex[:8]
    logins = {role: f"{role}_{suffix}"
              for role in ("owner", "writer", "relay", "operator", "reader", "consumer",
                           "stranger")}
    with closing(connect(server_url)) as connection, connection.cursor() as cursor:
        for role, login in logins.items():
            replication = "replication" if role == "relay" else ""
            cursor.execute(f"create role {login} login {replication} password %s", [_PASSWORD])
        yield logins
        for login in logins.values():
            cursor.execute(f"drop role {login}")


def grant_roles(cursor, logins):
    """Grants the roles that are there: V001 alone has no consumer."""
    cursor.execute("select rolname from pg_roles where rolname ~ '^outbox_'")
    there = {name for name, in cursor.fetchall()}
    for role, login in logins.items():
        if f"outbox_{role}" in there:
            cursor.execute(f"grant outbox_{role} to {login}")


@contextmanager
def schema_on(server_url=None):
    # The database goes before the logins, since a login that owns something cannot be dropped.
    with logins_on(server_url or database_url()) as logins:
        with Database(with_schema=False, server_url=server_url) as database:
            with closing(database.connect()) as connection:
                apply_migrations(connection)
                with connection, connection.cursor() as cursor:
                    grant_roles(cursor, logins)
            yield Schema(database, logins)


@pytest.fixture
def schema():
    """A database of the test's own."""
    with schema_on() as schema:
        yield schema


@pytest.fixture(scope="session")
def shared():
    """One database for tests that only add events, or try to."""
    with schema_on() as schema:
        yield schema
