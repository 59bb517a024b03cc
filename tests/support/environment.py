"""Where the services and the binaries are. `tests/run` says so through the environment; a suite
that lacks one fails, it never skips."""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def required(name):
    value = os.environ.get(name)
    if not value:
        raise RuntimeError(f"{name} is not set. Run the suite by tests/run, or export what "
                           "`ops/services env` prints, and OUTBOX_BIN=build/release/outbox")
    return value


def database_url():
    """A superuser's URL of a Postgres where a test may make databases of its own."""
    return required("DATABASE_URL")


def kafka_bootstrap():
    return required("KAFKA_BOOTSTRAP")


def outbox_bin():
    """The release binary."""
    return _binary("OUTBOX_BIN")


def outbox_crash_bin():
    """The binary with failpoints."""
    return _binary("OUTBOX_CRASH_BIN")


def services_folder():
    """The folder of the `ops/services` pair that the two URLs above belong to."""
    return Path(required("OUTBOX_SERVICES_DIR"))


def soaking():
    """True in tests/soak, where sizes and times are whole and not scaled down."""
    return os.environ.get("OUTBOX_SOAK") == "1"


def count(name, default):
    """A number that tests/soak may raise, such as OUTBOX_CRASH_ROUNDS."""
    return int(os.environ.get(name) or default)


def _binary(name):
    path = Path(required(name)).resolve()
    if not path.is_file():
        raise RuntimeError(f"{name}={path} does not exist. Build it, or run the suite by tests/run")
    return path
