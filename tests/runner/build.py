"""Configures and builds with the presets of CMake, only what is asked, each thing once."""

import fnmatch
import subprocess
import time

from .suite import CHECKOUT


class BuildError(Exception):
    """Says what could not be built and where the compiler's words are."""


class Builder:
    def __init__(self, results, announce):
        self._results = results
        self._announce = announce
        self._executables = {}  # preset -> its test executables, or the BuildError
        self._built = {}        # (preset, targets) -> None or the BuildError

    def binary(self, preset="release"):
        return CHECKOUT / "build" / preset / "outbox"

    def build(self, preset, targets):
        """Builds the targets of a preset; without targets all of it."""
        wanted = (preset, tuple(targets))
        if wanted not in self._built:
            self._built[wanted] = self._attempt(preset, targets)
        if self._built[wanted]:
            raise self._built[wanted]

    def test_binaries(self, preset, patterns):
        """The test binaries of a preset whose names match, built."""
        found = sorted({name for pattern in patterns
                        for name in fnmatch.filter(self._test_executables(preset), pattern)})
        if not found:
            raise BuildError(f"no target matches {' '.join(patterns)} in preset {preset}")
        self.build(preset, [f"tests/{name}" for name in found])
        return [CHECKOUT / "build" / preset / "tests" / name for name in found]

    def _test_executables(self, preset):
        if preset not in self._executables:
            self._executables[preset] = self._configure(preset)
        if isinstance(self._executables[preset], BuildError):
            raise self._executables[preset]
        return self._executables[preset]

    def _configure(self, preset):
        try:
            self._run(preset, "configure", ["cmake", "--preset", preset])
            listed = subprocess.run(
                ["ninja", "-C", CHECKOUT / "build" / preset, "-t", "targets", "all"],
                capture_output=True, text=True, check=True).stdout
        except BuildError as error:
            return error
        rules = (line.split(": ", 1) for line in listed.splitlines() if ": " in line)
        return [path.removeprefix("tests/") for path, rule in rules
                if "EXECUTABLE_LINKER" in rule and path.startswith("tests/")]

    def _attempt(self, preset, targets):
        try:
            self._test_executables(preset)
            arguments = ["--target", *targets] if targets else []
            self._run(preset, "build", ["cmake", "--build", "--preset", preset, *arguments])
        except BuildError as error:
            return error
        return None

    def _run(self, preset, step, command):
        log_file = self._results / f"{step}-{preset}.log"
        started = time.monotonic()
        with open(log_file, "ab") as log:
            done = subprocess.run(command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=log)
        if done.returncode != 0:
            raise BuildError(f"{step} of preset {preset} failed (log: {log_file})")
        seconds = time.monotonic() - started
        if seconds > 2:
            self._announce(f"{step} {preset}", seconds)
