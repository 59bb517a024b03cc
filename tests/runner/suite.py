"""What a suite is: a folder of tests/, and what its `suite.toml` says differently."""

import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
CHECKOUT = TESTS.parent

# No suites: what the suites share, and the benchmarks, which have a command of their own.
_NOT_A_SUITE = {"support", "runner", "bench"}
# Cheap ones first, so that a plain mistake shows early. Folders not named here come in between.
_FIRST = ["tidy", "unit", "script", "schema"]
_LAST = ["sim", "fuzz", "conformance", "integration", "faults", "large", "crash"]
SANITIZERS = ["asan", "tsan"]


class SuiteError(Exception):
    """A `suite.toml` that cannot be right."""


@dataclass(frozen=True)
class Suite:
    name: str
    folder: Path
    # Settings of suite.toml, with their defaults.
    binaries: tuple = ()         # GoogleTest, shell patterns; default outbox_<name>, …_<name>_*
    python: bool = False         # default: whether there is a test_*.py
    preset: str = "release"      # the preset that the binaries are built with
    also_presets: tuple = ()     # further presets whose `outbox` the tests run, such as crash
    targets: tuple = ()          # further targets that the tests run; default for Python: outbox
    services: tuple = ()         # postgres, kafka: started before, named in the environment
    sanitize: tuple = ()         # binaries that run once more under asan and tsan; true = all
    shards: int = 1              # processes that share a binary's tests, where most of them wait
    lanes: int = 1               # test files that run side by side, each lane with its services
    timeout_s: int = 1200        # for each binary, and for pytest as a whole
    soak_only: bool = False      # not part of a plain tests/run
    env: dict = field(default_factory=dict)
    soak_env: dict = field(default_factory=dict)
    sanitize_env: dict = field(default_factory=dict)

    def sanitized(self, preset):
        """This suite's share of the suite `asan` or `tsan`."""
        return replace(self, name=preset, preset=preset, binaries=self.sanitize, python=False,
                       services=(), also_presets=(), targets=(), soak_env={},
                       env={**self.env, **self.sanitize_env})


_SETTINGS = {name for name in Suite.__dataclass_fields__ if name not in ("name", "folder")}


def discover():
    """Every suite by name, in the order in which they run."""
    folders = [f for f in TESTS.iterdir() if f.is_dir() and f.name not in _NOT_A_SUITE]
    suites = [suite for suite in map(_read, folders) if suite]
    return {suite.name: suite for suite in sorted(suites, key=_order)}


def _order(suite):
    if suite.name in _FIRST:
        return 0, _FIRST.index(suite.name), ""
    if suite.name in _LAST:
        return 2, _LAST.index(suite.name), ""
    return 1, 0, suite.name


def _read(folder):
    name = folder.name
    python = any(folder.glob("test_*.py"))
    sources = any(folder.rglob("*.cc"))
    if not (python or sources):
        return None
    settings = {"python": python,
                "binaries": [f"outbox_{name}", f"outbox_{name}_*"] if sources else [],
                "targets": ["outbox"] if python else []}
    settings |= _settings_of(folder / "suite.toml")
    if settings.get("sanitize") is True:
        settings["sanitize"] = settings["binaries"]
    frozen = {key: tuple(value) if isinstance(value, list) else value
              for key, value in settings.items()}
    return Suite(name=name, folder=folder, **frozen)


def _settings_of(file):
    if not file.exists():
        return {}
    try:
        settings = tomllib.loads(file.read_text())
    except tomllib.TOMLDecodeError as error:
        raise SuiteError(f"{file}: {error}") from None
    unknown = settings.keys() - _SETTINGS
    if unknown:
        known = ", ".join(sorted(_SETTINGS))
        raise SuiteError(f"{file}: no setting '{min(unknown)}'. Known: {known}")
    return settings
