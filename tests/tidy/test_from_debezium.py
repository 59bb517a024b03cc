"""relay/docs/from-debezium.md against the options of Debezium's Outbox Event Router and of ours."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "relay/docs/from-debezium.md").read_text()
READER = (ROOT / "relay/app/config/read_format.cc").read_text()
SOURCE = (ROOT / "relay/app/config/read_source.cc").read_text()
# As io.debezium.transforms.outbox.EventRouter of Debezium 3.3 declares them.
OPTIONS = """
    table.op.invalid.behavior table.field.event.id table.field.event.key table.field.event.type
    table.field.event.timestamp table.field.event.payload table.fields.additional.placement
    table.fields.additional.error.on.missing table.field.event.schema.version route.by.field
    route.topic.regex route.topic.replacement route.tombstone.on.empty.payload
    table.expand.json.payload table.json.payload.null.behavior tracing.span.context.field
    tracing.operation.name tracing.with.context.field.only""".split()


def rows():
    """{option: what it is here} of the first table."""
    table = PAGE.split("## Each option")[1].split("Of the worker's")[0]
    return dict(re.findall(r"^\| `([\w.]+)` \| ([^|]+) \|", table, re.M))


def test_every_option_of_the_router_is_in_the_table_and_no_other():
    assert sorted(rows()) == sorted(OPTIONS)


@pytest.mark.parametrize("option", OPTIONS)
def test_what_the_table_names_is_a_key_that_the_config_reads(option):
    here = rows()[option]
    if here == "none":
        return
    place, key = re.fullmatch(r"(columns|debezium|route|source): `(\w+)`", here).groups()
    reader = SOURCE if place in ("columns", "source") else READER
    assert f'"{key}"' in reader, f"{here} for {option}"
