"""One database and one topic for all tests of a module, which imports the fixtures that it needs:
each test has a slot, a publication and a pipeline of its own there."""

import pytest

import config_text
from config_text import route
from postbox import Postbox
from service.port import free_port
from shop import Shop
from support.database import Database
from support.relay import Relay
from support.topic import create_topic, delete_topic, unique_name


@pytest.fixture(scope="module")
def database():
    with Database() as database:
        yield database


@pytest.fixture(scope="module")
def topic():
    name = create_topic(unique_name("place"), partitions=3)
    yield name
    delete_topic(name)


@pytest.fixture(scope="module")
def arriving(topic):
    postbox = Postbox(topic)
    yield postbox
    postbox.close()


@pytest.fixture(scope="module")
def shop(database):
    shop = Shop(database)
    yield shop
    shop.close()


def slot_name():
    """A name for the slot, the publication and the pipeline."""
    return unique_name("slot").replace(".", "_")


def relay_of(tmp_path, database, topic, slot=None, url=None, bootstrap=None, environ=None,
             **config):
    port = free_port()
    slot = slot or slot_name()
    text = config_text.whole(port, slot, [route(topic)], name=slot, **config)
    return Relay(tmp_path, url or database.url, slot=slot, pipeline=slot, config=text,
                 admin_port=port, bootstrap=bootstrap, environ=environ)
