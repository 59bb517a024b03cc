"""What every Python suite has: the shared fixtures, and the fault table's rows in the results."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ops"))

from support.database import Database  # noqa: E402
from support.relay import Relay  # noqa: E402
from support.services import Services  # noqa: E402
from support.topic import create_topic, delete_topic, unique_name  # noqa: E402


def pytest_collection_modifyitems(items):
    """A row of the fault matrix goes into the results, where tests/soak finds it."""
    for item in items:
        for marker in item.iter_markers("fault_row"):
            for row in marker.args:
                item.user_properties.append(("fault_row", str(row)))


@pytest.fixture
def database():
    """A database of the test's own, with the outbox schema."""
    with Database() as database:
        yield database


@pytest.fixture
def topic():
    """A topic of the test's own with six partitions."""
    name = create_topic(unique_name(), partitions=6)
    yield name
    delete_topic(name)


@pytest.fixture
def relay(tmp_path, database, topic):
    """A running relay from `database` to `topic`."""
    with Relay(tmp_path, database.url, topic) as relay:
        yield relay


@pytest.fixture
def services():
    """The run's own Postgres and broker, for tests that hurt them; both are up again afterwards."""
    services = Services()
    yield services
    services.heal()
