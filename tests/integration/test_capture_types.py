"""Every type of Postgres as a captured event has it: its text is what `::text` gives (issue,
Build 4), whatever database, role and server have set."""

import json
from contextlib import closing

import pytest

from capture_place import CapturePlace, capture

# Name -> values, as SQL writes them.
VALUES = {
    "bool": ["true", "false"],
    "int2": ["-32768"], "int4": ["2147483647"], "int8": ["-9223372036854775808"],
    "numeric": ["123456789012345678901234567890.12345678901234567890", "'NaN'", "'Infinity'",
                "'-Infinity'", "-0.10", "1e-20", "0"],
    "float4": ["0.1", "3.4e38", "'NaN'", "'-Infinity'"],
    "float8": ["0.1", "1e-300", "123456789.123456789", "'NaN'", "'Infinity'", "'-0'"],
    "money": ["1234567.89", "-5"],
    "text": ["''", r"""E'a "quoted" \\ back\nslash\ttab\x01 \u20ac \U0001F600'""", "'null'", "'t'"],
    "varchar(20)": ["'varchar'"], "char(5)": ["'ab'"], '"char"': ["'x'"], "name": ["'a_name'"],
    "bytea": [r"'\x00ff10'", "''"],
    "uuid": ["'11111111-2222-3333-4444-555555555555'"],
    "json": ["""'{"b": 1,   "a": [1.10, null, "\\u20ac"]}'""", "'null'", "'[]'", "'1e400'"],
    "jsonb": ["""'{"b": 1,   "a": [1.10, null, "x"]}'""", "'null'", "'\"text\"'"],
    "date": ["'2024-02-29'", "'infinity'", "'0044-03-15 BC'"],
    "time": ["'23:59:59.999999'"], "timetz": ["'12:34:56.7+05:30'"],
    "timestamp": ["'2024-02-29 12:34:56.789'", "'-infinity'"],
    "timestamptz": ["'2024-02-29 12:34:56.789+02'", "'infinity'", "'0044-03-15 12:00+00 BC'"],
    "interval": ["'1 year 2 mons -3 days 04:05:06.789'", "'0'"],
    "bit(5)": ["B'10101'"], "varbit": ["B'101'", "B''"],
    "inet": ["'192.168.0.1/24'", "'::1'"], "cidr": ["'10.0.0.0/8'"],
    "macaddr": ["'08:00:2b:01:02:03'"], "macaddr8": ["'08:00:2b:01:02:03:04:05'"],
    "point": ["'(1.5,-2)'"], "line": ["'{1,2,3}'"], "lseg": ["'[(0,0),(1,1)]'"],
    "box": ["'(2,2),(0,0)'"], "path": ["'((0,0),(1,1))'"], "polygon": ["'((0,0),(1,1),(2,0))'"],
    "circle": ["'<(1,2),3>'"],
    "tsvector": ["to_tsvector('english', 'The fat cats')"], "tsquery": ["'fat & (rat | cat)'"],
    "xml": ["""'<a b="c">d &amp; e</a>'"""],
    "pg_lsn": ["'16/B374D848'"], "oid": ["4294967295"], "xid": ["'42'"], "tid": ["'(1,2)'"],
    "pg_snapshot": ["'10:20:10,14,15'"], "xid8": ["'18446744073709551615'"],
    "regclass": ["'pg_class'", "'shop.thing'"], "regtype": ["'integer'", "'shop.mood'"],
    "int4range": ["'[1,5)'", "'empty'"], "numrange": ["'[1.10,)'"],
    "tstzrange": ["'[2024-01-01 00:00+00,2024-02-01 00:00+05)'"], "daterange": ["'[,2024-01-01)'"],
    "int4multirange": ["'{[1,3),[5,7)}'"], "tstzmultirange": ["'{}'"],
    "int4[]": ["'{1,NULL,3}'", "'{}'", "'[0:1]={7,8}'"],
    "text[]": ["""ARRAY['a,b', 'c"d', NULL, 'NULL', '']"""],
    "timestamptz[]": ["'{2024-01-01 00:00+02}'"], "bytea[]": [r"""ARRAY['\xff'::bytea]"""],
    "shop.mood": ["'so so'"], "shop.mood[]": ["'{happy,\"so so\"}'"],
    "shop.positive": ["7"], "shop.pair": ["row(1, 'a \"b\"')", "row(null, '')"],
    "shop.whole": ["row(row(2, 'x'), '2024-01-01 00:00+03', '{1.5}')"],
    "shop.hstore": ["""'a=>1, "b c"=>NULL, q=>"\\"x\\""'"""],
}
NUMBERS = {"int2", "int4", "int8", "numeric", "float4", "float8"}
# As the relay fixes them.
SETTINGS = ("set datestyle = 'ISO, MDY'; set intervalstyle = 'postgres'; set timezone = 'UTC';"
            " set extra_float_digits = 1; set bytea_output = 'hex'; set lc_monetary = 'C';"
            " set search_path = 'pg_catalog'; set quote_all_identifiers = off")
OTHERWISE = ["datestyle = 'SQL, DMY'", "intervalstyle = 'iso_8601'", "timezone = 'Asia/Kolkata'",
             "extra_float_digits = -15", "bytea_output = 'escape'", "quote_all_identifiers = on",
             "search_path = 'shop'"]


def columns():
    """(name, type, value) of each."""
    return [(f"c{number}", kind, value) for number, (kind, value) in enumerate(
        (kind, value) for kind, values in VALUES.items() for value in [*values, "null"])]


@pytest.fixture(scope="module")
def row(tmp_path_factory):
    """What the event and what `::text` says of each column: {name: (JSON, text)}."""
    listed = ", ".join(f"{name} {kind}" for name, kind, _ in columns())
    tables = ["create table shop.thing (id int)",
              "create type shop.mood as enum ('happy', 'so so')",
              "create domain shop.positive as int check (value > 0)",
              "create type shop.pair as (a int, b text)",
              "create type shop.whole as (p shop.pair, at timestamptz, list numeric[])",
              "create extension hstore schema shop",
              f"create table shop.every_type (id int primary key, {listed})"]
    with CapturePlace(tmp_path_factory.mktemp("types"), tables,
                      [capture("shop.every_type", insert='"made"')]) as place:
        for setting in OTHERWISE:
            place.database.execute(f'alter database "{place.database.name}" set {setting}')
        place.start()
        values = ", ".join(f"({value})::{kind}" for _, kind, value in columns())
        place.run(f"set search_path = shop, pg_catalog; insert into shop.every_type"
                  f" values (1, {values})")
        record, = place.of_key("1", 1)
        with closing(place.database.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(SETTINGS)
            cursor.execute("select " + ", ".join(f"{name}::text" for name, _, _ in columns())
                           + " from shop.every_type")
            texts = dict(zip((name for name, _, _ in columns()), cursor.fetchone()))
        yield members(record.value.decode()), texts


def members(payload):
    """The members of `after`, each as its JSON stands there."""
    decoder = json.JSONDecoder()
    at = payload.index('"after":{') + len('"after":{')
    found = {}
    while payload[at - 1] != "}":
        name, at = decoder.raw_decode(payload, at)
        _, end = decoder.raw_decode(payload, at + 1)
        found[name] = payload[at + 1:end]
        at = end + 1
    return found


@pytest.mark.parametrize("kind", VALUES)
def test_a_value_of_every_type_is_what_its_cast_to_text_gives(row, kind):
    found, texts = row
    for name in [name for name, of, _ in columns() if of == kind]:
        value, text = found[name], texts[name]
        if text is None:
            assert value == "null"
        elif kind == "bool" or kind in ("json", "jsonb"):
            assert value == text
        elif kind in NUMBERS and text.lstrip("-")[0].isdigit():
            assert value == text, "every digit"
        else:
            assert value.startswith('"') and json.loads(value) == text


def test_the_event_is_json_and_has_every_column(row):
    found, texts = row
    assert set(found) == set(texts) | {"id"}
