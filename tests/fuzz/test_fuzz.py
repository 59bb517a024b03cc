"""Builds the libFuzzer targets with clang and gives each a fixed number of runs."""

import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "fuzz"
FOUND = ROOT / ".run" / "fuzz"
CORPUS = HERE / "corpus"
TARGETS = sorted(folder.name for folder in CORPUS.iterdir() if folder.is_dir())
RUNS = int(os.environ.get("OUTBOX_FUZZ_RUNS", "200000"))


def checked(*command, **options):
    run = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         **options)
    assert run.returncode == 0, f"{' '.join(map(str, command))}\n{run.stdout[-8000:]}"
    return run.stdout


@pytest.fixture(scope="session")
def binaries():
    checked("cmake", "-S", ROOT, "-B", BUILD, "-G", "Ninja", "-DCMAKE_CXX_COMPILER=clang++",
            "-DCMAKE_BUILD_TYPE=Sanitize",
            "-DOUTBOX_SANITIZE=address,undefined,fuzzer-no-link")
    names = [f"outbox_fuzz_{name}" for name in TARGETS]
    checked("cmake", "--build", BUILD, "--target", *names)
    return BUILD / "tests"


def test_every_target_has_seeds():
    sources = sorted(path.stem.removeprefix("fuzz_") for path in HERE.glob("fuzz_*.cc"))
    assert sources == TARGETS
    assert all(any((CORPUS / name).iterdir()) for name in TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_survived(binaries, name):
    found = FOUND / name
    grown = found / "corpus"
    grown.mkdir(parents=True, exist_ok=True)
    output = checked(binaries / f"outbox_fuzz_{name}", f"-runs={RUNS}", "-seed=20261121",
                     "-max_len=8192", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1",
                     f"-artifact_prefix={found}/", grown, CORPUS / name)
    assert "Done" in output
