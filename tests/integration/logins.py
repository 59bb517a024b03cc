"""Logins with just the roles that a test is about."""

import uuid
from contextlib import closing, contextmanager

from support.database import connect, with_user


@contextmanager
def login(database, member_of=(), attributes="", password=None):
    """A URL of `database` for a new login; the login ends with the block.

    Use it inside the database's own block: what the login owns must be gone before it."""
    name = f"login_{uuid.uuid4().hex[:10]}"
    password = password or uuid.uuid4().hex
    with closing(connect(database.url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"create role {name} login {attributes} password %s", [password])
        for role in member_of:
            cursor.execute(f"grant {role} to {name}")
        try:
            yield with_user(database.url, name, password)
        finally:
            cursor.execute(f"drop owned by {name}")
            cursor.execute(f"drop role {name}")
