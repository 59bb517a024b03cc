"""What the tests of the fault matrix share."""

from contextlib import contextmanager

import pytest

from support import environment
from support.database import connect
from support.stage import Stage


def pytest_collection_modifyitems(items):
    if environment.soaking():
        for item in items:
            item.add_marker(pytest.mark.timeout(0))


@pytest.fixture
def on_stage(tmp_path, services):
    """`with on_stage(…) as stage:` a stage whose relay runs and whose load goes on."""

    @contextmanager
    def running(**options):
        with Stage(tmp_path, **options) as stage:
            stage.relay.start()
            stage.relay.wait_ready()
            stage.go()
            yield stage

    return running


@pytest.fixture
def postgres_settings(services):
    """`postgres_settings(wal_sender_timeout="5s")`: settings of the server that need no restart,
    taken back at the end."""

    def change(**settings):
        with_server([f"alter system set {name} = '{value}'" for name, value in settings.items()])

    yield change
    services.heal()
    with_server(["alter system reset all"])


def with_server(statements):
    connection = connect(environment.database_url())
    with connection.cursor() as cursor:
        for statement in [*statements, "select pg_reload_conf()"]:
            cursor.execute(statement)
    connection.close()
