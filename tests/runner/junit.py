"""Reads JUnit XML of GoogleTest and pytest. A test that was skipped or switched off is no pass."""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field


@dataclass
class Case:
    name: str
    problem: str = ""            # empty: passed
    rows: tuple = ()             # rows of the fault matrix that it shows
    log: str = ""


@dataclass
class Tally:
    cases: list = field(default_factory=list)
    seconds: float = 0.0

    def fail(self, name, problem, log=""):
        self.cases.append(Case(name, problem, log=str(log)))

    @property
    def failures(self):
        return [case for case in self.cases if case.problem]

    @property
    def passed(self):
        return len(self.cases) - len(self.failures)


def read(file, log):
    """The cases of one result file; raises if it is missing or cut off."""
    return [_case(element, log) for element in ElementTree.parse(file).iter("testcase")]


def _case(element, log):
    name = f"{element.get('classname', '')}.{element.get('name', '')}".lstrip(".")
    return Case(name, _problem(element), tuple(_rows(element)), str(log))


def _problem(element):
    for kind in ("failure", "error"):
        if element.find(kind) is not None:
            return "failed"
    skipped = element.find("skipped") is not None or element.get("result") == "skipped"
    if skipped or element.get("status") == "notrun":
        return "did not run"
    return ""


def _rows(element):
    properties = [(p.get("name"), p.get("value")) for p in element.iter("property")]
    properties.append(("fault_row", element.get("fault_row")))
    for name, value in properties:
        if name == "fault_row" and value:
            yield from value.replace(",", " ").split()
