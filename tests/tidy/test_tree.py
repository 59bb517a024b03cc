"""The checkout holds to the rules."""

import re
import subprocess
from pathlib import Path

import pytest

import rules

ROOT = Path(__file__).resolve().parents[2]


def tracked():
    """Files that git knows or would add; what a build or a run leaves behind is ignored."""
    listing = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True,
                             capture_output=True, check=True).stdout
    return sorted(path for path in listing.splitlines() if (ROOT / path).is_file())


FILES = tracked()
CODE = [path for path in FILES if path.endswith((".h", ".cc"))]
PRODUCT = [path for path in CODE if rules.folder_of(path)]
SCRIPTS = [path for path in FILES if path.endswith(".py") or path in
           ("ops/demo", "ops/install", "ops/services", "tests/run", "tests/soak",
            "tests/bench/run")]
TESTS = [path for path in CODE + SCRIPTS if path.startswith("tests/") and "/tidy/" not in path]


def text_of(path):
    return (ROOT / path).read_text()


def findings(rule, paths):
    return [finding for path in paths for finding in rule(path, text_of(path))]


def test_there_is_a_tree_to_look_at():
    assert len(PRODUCT) > 20 and len(TESTS) > 5


@pytest.mark.parametrize("rule, paths", [
    (rules.layering, PRODUCT),
    (rules.banned, PRODUCT),
    (rules.banned_in_tests, TESTS),
    (rules.columns, CODE + SCRIPTS),
    (rules.file_length, CODE + SCRIPTS),
    (rules.function_length, CODE),
], ids=lambda value: getattr(value, "__name__", ""))
def test_no_file_breaks_the_rule(rule, paths):
    found = findings(rule, paths)
    assert not found, "\n" + "\n".join(found)


def test_every_source_is_built_by_a_target():
    found = []
    for path in (path for path in CODE if path.endswith(".cc")):
        folder = (ROOT / path).parent
        while not (folder / "CMakeLists.txt").is_file():
            folder = folder.parent
        found += rules.unbuilt(path, (folder / "CMakeLists.txt").read_text())
    assert not found, "\n" + "\n".join(found)


def test_code_is_formatted():
    run = subprocess.run(["clang-format", "--dry-run", "-Werror", *CODE], cwd=ROOT, text=True,
                         capture_output=True)
    wrong = sorted(set(re.findall(r"^(\S+?):\d+", run.stderr, re.M)))
    assert run.returncode == 0, "clang-format -i " + " ".join(wrong)


def test_every_folder_explains_itself():
    folders = {rules.folder_of(path) for path in PRODUCT} | {"ops", "tests"}
    assert not [folder for folder in sorted(folders) if not (ROOT / folder / "README.md").is_file()]


def test_only_the_failpoint_header_names_failpoints():
    header = text_of("relay/core/failpoint.h")
    names = set(re.findall(r"^  (\w+),", header, re.M))
    assert len(names) >= 4
    used = {name for path in CODE for name in re.findall(r"Failpoint::(\w+)\b", text_of(path))}
    assert used == names, f"named but never hit, or hit but not named: {used ^ names}"


def test_planted_bugs_are_one_line_each_and_off_by_default():
    header = text_of("relay/flow/planted.h")
    names = set(re.findall(r"bool (kPlant\w+) = true", header))
    assert len(names) >= 4
    for name in names:
        uses = [path for path in PRODUCT if path != "relay/flow/planted.h"
                for _ in range(len(re.findall(rf"\b{name}\b", text_of(path))))]
        assert len(uses) == 1, f"{name} is used {len(uses)} times: {uses}"
    shipped = ["CMakePresets.json", "CMakeLists.txt", "cmake/toolchain.cmake"]
    assert not [path for path in shipped if "OUTBOX_PLANT" in text_of(path)]
