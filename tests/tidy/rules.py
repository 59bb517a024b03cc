"""The rules, as functions from text to findings. No I/O: the tests bring the files."""

import re

# Folder -> folders of ours that it may include. Everything may include itself.
LAYERS = {
    "relay/core": [],
    "relay/flow": ["relay/core"],
    "relay/settle": ["relay/core"],
    "relay/verify": ["relay/core"],
    "connectors/postgres": ["relay/core"],
    "connectors/kafka": ["relay/core"],
    "outbox-schema": ["relay/core"],
    "relay/app": ["relay/core", "relay/flow", "relay/settle", "relay/verify",
                  "outbox-schema"],
}
# The one place that names concrete connectors.
WIRING = re.compile(r"^relay/app/wiring\w*\.cc$")

# Pattern -> (what to do instead, files where it is right).
BANNED = {
    r"\bsleep_for\b|\busleep\(|\bnanosleep\(": ("wait for an fd or a deadline in poll(2)", []),
    r"system_clock::now": ("take core::Now as an argument", []),
    r"steady_clock::now": ("take core::Now as an argument",
                           [r"relay/app/.*", r"connectors/.*", r"outbox-schema/.*"]),
    r"(?<![.>_])\b(_exit|exit|quick_exit)\(": ("return; only main.cc ends the process",
                                           [r"relay/app/main\.cc"]),
    r"\.detach\(\)": ("keep the std::jthread and join it", []),
    r"\bnew [A-Za-z_:]+\s*[({\[]": ("std::make_unique", [r"relay/core/chunk\.cc"]),
    r"\bdelete(\[\])? [a-z]": ("an owner", [r"relay/core/chunk\.cc"]),
    r"\bassert\(": ("OUTBOX_ASSERT, which is on in every build", []),
    r"\b(TODO|FIXME|XXX)\b": ("finish it, or say it in the README", []),
    r"\bstd::(stoi|stol|stoul|atoi)\b|\batoi\(": ("std::from_chars, and look at its error", []),
}
TEST_BANNED = {
    r"GTEST_SKIP|DISABLED_|pytest\.skip|mark\.skip|mark\.xfail": "a test that cannot run fails",
    r"EXPECT_TRUE\(true\)|assert True\b": "assert something that can fail",
}

COLUMNS = 100
FILE_LINES = 400
FUNCTION_LINES = 70


def folder_of(path):
    """The layer a file belongs to, None for what has none."""
    return next((layer for layer in LAYERS if path.startswith(layer + "/")), None)


def strip_comments(text):
    """Blanks comments and string literals, keeping every line where it is."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"', re.S)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def layering(path, text):
    layer = folder_of(path)
    if layer is None:
        return
    allowed = [layer, *LAYERS[layer]] + (["connectors/"] if WIRING.match(path) else [])
    for number, line in enumerate(text.splitlines(), 1):
        included = re.match(r'\s*#include "([^"]+)"', line)
        if not included:
            continue
        target = included.group(1)
        if "/" not in target:
            yield f"{path}:{number}: include by path from the root: {target}"
        elif not any(target.startswith(folder) for folder in allowed):
            yield f"{path}:{number}: {layer} may not include {target}"


def banned(path, text):
    code = strip_comments(text)
    for pattern, (instead, allowed) in BANNED.items():
        if any(re.fullmatch(place, path) for place in allowed):
            continue
        for match in re.finditer(pattern, code):
            number = code.count("\n", 0, match.start()) + 1
            yield f"{path}:{number}: {match.group().strip()}: {instead}"
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"//.*\b(TODO|FIXME|XXX)\b", line):
            yield f"{path}:{number}: finish it, or say it in the README"


def banned_in_tests(path, text):
    for pattern, instead in TEST_BANNED.items():
        for match in re.finditer(pattern, text):
            number = text.count("\n", 0, match.start()) + 1
            yield f"{path}:{number}: {match.group()}: {instead}"


def columns(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > COLUMNS:
            yield f"{path}:{number}: {len(line)} columns, {COLUMNS} at most"


def file_length(path, text):
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield f"{path}: {lines} lines, {FILE_LINES} at most: split it by concept"


def functions(text):
    """(line number, length) of each function body in clang-formatted C++: a block whose brace
    closes at indent 0 or 2 and whose head has a parameter list and names no type or namespace."""
    lines = strip_comments(text).splitlines()
    opened = []
    for at, line in enumerate(lines):
        for brace in re.findall(r"[{}]", line):
            if brace == "{":
                opened.append(at)
            elif opened:
                start = opened.pop()
                if re.match(r"( {2})?\}", line) and _is_function(_head(lines, start)):
                    yield start + 1, at - start + 1


def _head(lines, start):
    """The declaration before the brace on line `start`, however many lines it wraps over."""
    first = start
    while first > 0 and not re.search(r"(^|[;{}:])\s*$", lines[first - 1]):
        first -= 1
    return " ".join(lines[first:start + 1])


def _is_function(head):
    return "(" in head and not re.match(r"\s*(template\s*<[^{]*>\s*)?"
                                        r"(inline\s+)?(namespace|class|struct|enum|union|extern)\b",
                                        head)


def function_length(path, text):
    for number, length in functions(text):
        if length > FUNCTION_LINES:
            yield f"{path}:{number}: a function of {length} lines, {FUNCTION_LINES} at most"


def unbuilt(path, cmake_text):
    """`path` is a .cc file, `cmake_text` the CMakeLists.txt that should name it."""
    name = path.rsplit("/", 1)[-1]
    if not re.search(rf"(?<![\w-]){re.escape(name)}\b", cmake_text):
        yield f"{path}: no target builds it"
