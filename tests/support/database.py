"""A database of one test's own, made and dropped in the Postgres that DATABASE_URL names."""

import os
import subprocess
import uuid
from urllib.parse import urlsplit, urlunsplit

import psycopg2

from . import environment
from .waiting import wait_until


def connect(url, autocommit=True):
    connection = psycopg2.connect(url)
    connection.autocommit = autocommit
    return connection


def with_database(url, name):
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path="/" + name))


def with_user(url, user, password):
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.hostname}:{parts.port}"))


class Database:
    """`with Database() as database:` gives an empty one, `with_schema=True` one with the outbox.

    Everything of it ends with it: connections, replication slots, the database.
    """

    def __init__(self, with_schema=True, server_url=None, name=None):
        self.server_url = server_url or environment.database_url()
        self.name = name or f"test_{uuid.uuid4().hex[:12]}"
        self.url = with_database(self.server_url, self.name)
        self._with_schema = with_schema

    def __enter__(self):
        self._on_server(f'create database "{self.name}"')
        if self._with_schema:
            try:
                apply_schema(self.url)
            except BaseException:
                self.drop()
                raise
        return self

    def __exit__(self, *_):
        self.drop()

    def connect(self, autocommit=True):
        return connect(self.url, autocommit)

    def execute(self, sql, arguments=None):
        """Runs one statement in a connection of its own; rows if it has any."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, arguments)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def value(self, sql, arguments=None):
        """The first column of the first row."""
        return self.execute(sql, arguments)[0][0]

    def drop(self):
        wait_until(self._without_slots, f"the slots of {self.name} are dropped", pause_s=0.1)
        for gid, in self._on_server("select gid from pg_prepared_xacts where database = %s",
                                    [self.name]):
            connection = self.connect()
            connection.cursor().execute("rollback prepared %s", [gid])
            connection.close()
        self._on_server(f'drop database if exists "{self.name}" with (force)')

    def _without_slots(self):
        """A slot's reader may need a moment to go, or come back in between."""
        self._on_server("select pg_terminate_backend(active_pid) from pg_replication_slots"
                        " where database = %s and active", [self.name])
        self._on_server("select pg_drop_replication_slot(slot_name) from pg_replication_slots"
                        " where database = %s", [self.name])
        return True

    def _on_server(self, sql, arguments=None):
        connection = connect(self.server_url)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, arguments)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()


def apply_schema(url, binary=None):
    """Applies the migrations as people do. The URL goes by the environment: it holds a password."""
    done = subprocess.run([binary or environment.outbox_bin(), "schema", "apply"],
                          env={**os.environ, "DATABASE_URL": url}, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"outbox schema apply: exit code {done.returncode}: {done.stderr}")
