"""Runs the program that times commits: writers and a consumer in one process, on one clock."""

import json
import os
import subprocess

from .our_relay import program


def floor(stage, topic, rate, settings):
    """Records straight to the broker and back: what the broker and the consumer take."""
    return _run(stage, topic, rate, settings, "floor", None)


def commits(stage, database, topic, rate, settings):
    """From COMMIT returned until the record is in the consumer."""
    return _run(stage, topic, rate, settings, "commits", database.url)


def _run(stage, topic, rate, settings, mode, database_url):
    command = [program("bench_latency"), mode, "--topic", topic, "--rate", str(rate),
               "--seconds", str(settings.seconds),
               "--warmup", str(settings.warmup_seconds)]
    environ = {**os.environ, "KAFKA_BOOTSTRAP": stage.bootstrap, "DATABASE_URL": database_url or ""}
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"bench_latency {mode}: {done.stderr}")
    measured = json.loads(done.stdout)
    if measured["received"] != measured["sent"]:
        raise RuntimeError(f"bench_latency {mode}: {measured['received']} of {measured['sent']}"
                           " events arrived")
    return measured
