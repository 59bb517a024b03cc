"""`ops/demo`: the first thing that a new user types."""

import json
import subprocess

from support.environment import CHECKOUT


def demo(*arguments):
    return subprocess.run([CHECKOUT / "ops" / "demo", *map(str, arguments)], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL)


def test_scenarios_of_later_releases_are_refused_with_2():
    for scenario in ("gateway", "reconcile", "clicks"):
        done = demo(scenario)
        assert done.returncode == 2 and "later release" in done.stderr and not done.stdout


def test_wrong_usage_ends_with_2_and_usage():
    for arguments in (["nonsense"], ["--events"], ["--events", "0"], ["--events", "x"],
                      ["orders", "orders"]):
        done = demo(*arguments)
        assert done.returncode == 2 and "usage:" in done.stderr and not done.stdout


def test_every_committed_event_is_read_back_once_and_in_order(tmp_path):
    done = demo("--events", 1000, "--exit", "--dir", tmp_path / "demo")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "committed": 1000, "delivered": 1000, "lost": 0, "duplicates": 0, "out_of_order": 0}


def test_nothing_runs_when_the_demo_has_ended(tmp_path):
    folder = tmp_path / "demo"
    assert demo("--exit", "--dir", folder).returncode == 0
    status = subprocess.run([CHECKOUT / "ops" / "services", "status", "--dir", folder],
                            capture_output=True, text=True)
    assert status.returncode == 1 and "running" not in status.stdout
