"""Row 9: resets, and streams cut in the middle of a message, between the relay and Postgres."""

import random
import time

import pytest

from support import environment
from support.tcp_proxy import TcpProxy


@pytest.fixture
def proxy():
    with TcpProxy.before(environment.database_url(), seed=9) as proxy:
        yield proxy


@pytest.mark.fault_row(9)
def test_a_stream_cut_inside_a_message_never_makes_half_a_row(on_stage, proxy):
    """The judge knows every byte of every value; a row made of a part of a message would differ."""
    with on_stage(relay_url=proxy.url) as stage:
        proxy.cut_after = (100, 300_000)
        proxy.reset_all()
        end = time.monotonic() + (600 if environment.soaking() else 20)
        while time.monotonic() < end:
            time.sleep(1)
            stage.mark()
        assert proxy.cuts >= 10
        proxy.cut_after = None
        proxy.reset_all()
        stage.rest()


@pytest.mark.fault_row(9)
def test_a_storm_of_resets_ends_in_a_backlog_of_zero(on_stage, proxy):
    draw = random.Random(9)
    with on_stage(relay_url=proxy.url) as stage:
        end = time.monotonic() + (600 if environment.soaking() else 15)
        resets = 0
        while time.monotonic() < end:
            time.sleep(draw.expovariate(4))
            proxy.refusing = draw.random() < 0.3
            resets += proxy.reset_all()
            stage.watcher.check()
        assert resets >= 10
        proxy.refusing = False
        stage.rest()


@pytest.mark.fault_row(9)
def test_a_slow_line_delays_and_loses_nothing(on_stage, proxy):
    with on_stage(relay_url=proxy.url) as stage:
        proxy.delay_s = 0.05
        time.sleep(60 if environment.soaking() else 5)
        stage.mark()
        proxy.delay_s = 0.0
        stage.rest()
