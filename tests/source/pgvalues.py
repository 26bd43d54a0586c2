"""Values of PostgreSQL's types, extremes above all: literals of each type, which of ours it is read as first.

Without xml: the server of the tests is built without it.
"""

from offtake.model.dataset import FieldType

T = FieldType
CREATED = (
    "CREATE TYPE mood AS ENUM ('', 'so so', 'naïve', 'a,b', '\"q\"')",
    "CREATE TYPE \"date\" AS ENUM ('four', '2024')",
    "CREATE TYPE pair AS (a int, b text)",
    "CREATE DOMAIN folded AS text CHECK (VALUE = lower(VALUE))",
    "CREATE DOMAIN small AS int2 CHECK (VALUE < 100)",
    "CREATE DOMAIN price AS numeric(8, 3)",
    "CREATE DOMAIN moment AS timestamptz",
    "CREATE DOMAIN many AS int[]",
    "CREATE DOMAIN couple AS pair",
    "CREATE DOMAIN feeling AS mood",
)
_NINES = "9" * 38
_INTS = {"int2": 15, "int4": 31, "int8": 63}

# type -> (ours, literals); a literal is quoted and cast to the type.
VALUES: dict[str, tuple[FieldType, tuple[str, ...]]] = {
    name: (T.INTEGER, (str(-(2**bits)), str(2**bits - 1), "0", "-1", "1", "256")) for name, bits in _INTS.items()
}
VALUES |= {
    "oid": (T.INTEGER, ("0", "2147483648", "4294967295")),
    "float8": (
        T.NUMBER,
        (
            "NaN",
            "Infinity",
            "-Infinity",
            "-0",
            "0",
            "5e-324",
            "2.2250738585072011e-308",
            "1.7976931348623157e308",
            "0.1",
        ),
    ),
    "float4": (T.NUMBER, ("NaN", "Infinity", "-Infinity", "-0", "1e-45", "1.1754942e-38", "3.4028235e38", "0.1")),
    "numeric": (
        T.DECIMAL,
        ("NaN", "Infinity", "-Infinity", "0", "0.00", "-0.10", "1e-20", f"{_NINES}9.{_NINES}", "1e100", "10000"),
    ),
    "numeric(38,0)": (T.DECIMAL, (_NINES, f"-{_NINES}", "0", "1", "NaN")),
    "numeric(38,38)": (T.DECIMAL, (f"0.{_NINES}", f"-0.{_NINES}", "0", "1e-38")),
    "numeric(38,10)": (T.DECIMAL, (f"{_NINES[:28]}.{_NINES[:10]}", "0.0000000001", "-10000.0001", "NaN")),
    "numeric(39,3)": (T.DECIMAL, (f"{_NINES[:36]}.001", "0")),
    "numeric(20,2)": (T.DECIMAL, ("0.01", "-0.01", "100000000000000000", "10000.1", "0.99")),
    "numeric(5,5)": (T.DECIMAL, ("0.99999", "-0.00001", "0.1")),
    "numeric(2,5)": (T.DECIMAL, ("0.00099", "0")),
    "numeric(3,-2)": (T.DECIMAL, ("99900", "-149", "50")),
    "numeric(4,0)": (T.DECIMAL, ("9999", "-9999", "0")),
    "price": (T.DECIMAL, ("12345.678", "0.001")),
    "bool": (T.BOOLEAN, ("t", "f")),
    "text": (
        T.STRING,
        ("", " ", "NULL", r"\.", r"\N", 'a"b', "a,b", "a\nb\r\nc", "\t", "é 日本 🚀", "12", " 12 ", "true"),
    ),
    "varchar(5)": (T.STRING, ("", "abcde", "é")),
    "char(4)": (T.STRING, ("", "ab", "é日  ")),
    "bpchar": (T.STRING, ("", "ab  ")),
    "name": (T.STRING, ("", "x" * 63, "é")),
    '"char"': (T.STRING, ("", "a", r"\377", "é")),
    "folded": (T.STRING, ("", "abc")),
    "small": (T.INTEGER, ("-5", "99")),
    "mood": (T.STRING, ("", "so so", "naïve", "a,b", '"q"')),
    "feeling": (T.STRING, ("", "naïve")),
    'public."date"': (T.STRING, ("four", "2024")),
    "mood[]": (T.LIST, ("{}", '{"so so","",NULL}')),
    "date": (
        T.DATE,
        (
            "infinity",
            "-infinity",
            "4714-11-24 BC",
            "0001-12-31 BC",
            "0001-01-01",
            "1969-12-31",
            "1999-12-31",
            "5874897-12-31",
        ),
    ),
    "time": (T.TIME, ("00:00", "23:59:59.999999", "24:00", "12:00:00.5")),
    "timetz": (T.TIME, ("00:00+15:59", "23:59:59.999999-15", "24:00+00")),
    "timestamptz": (
        T.DATETIME,
        (
            "infinity",
            "-infinity",
            "4714-11-24 00:00:00+00 BC",
            "294246-12-31 23:59:59.999999+00",
            "294247-01-10 04:00:54.775806+00",
            "294247-01-10 04:00:54.775807+00",
            "294276-12-31 23:59:59.999999+00",
            "1969-12-31 23:59:59.999999+00",
            "1999-12-31 23:59:59.999999+00",
            "12345-06-07 08:09:10.5+00",
        ),
    ),
    "moment": (T.DATETIME, ("infinity", "2024-02-29 12:00+00")),
    "timestamp": (
        T.DATETIME,
        (
            "infinity",
            "-infinity",
            "4714-11-24 00:00 BC",
            "2024-04-06 23:30",
            "2024-09-08 00:30",
            "1850-01-01 00:00",
            "20000-07-01 12:00",
            "294276-12-31 23:59:59.999999",
        ),
    ),
    "interval": (T.STRING, ("0", "1 year 2 days 3.5 s", "-178000000 years", "infinity")),
    "uuid": (T.UUID, ("00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF")),
    "bytea": (T.STRING, ("", r"\x00ff0a22", r"\x5c2e")),
    "json": (T.JSON, ('{"a":  1, "b": null}', "null", '"x"', "[1, 2.50]", ' {"a":"\\u00e9"}')),
    "jsonb": (T.JSON, ('{"a":  1, "b": null}', "null", '"x"', "[1, 2.50]", "{}")),
    "inet": (T.STRING, ("10.0.0.1/8", "10.0.0.1", "::1")),
    "cidr": (T.STRING, ("10.0.0.0/8", "10.0.0.1/32")),
    "macaddr": (T.STRING, ("08:00:2b:01:02:03",)),
    "macaddr8": (T.STRING, ("08:00:2b:01:02:03:04:05",)),
    "money": (T.STRING, ("-92233720368547758.08", "12.34")),
    "bit(9)": (T.STRING, ("101010101",)),
    "varbit": (T.STRING, ("", "1")),
    "tsvector": (T.STRING, ("a fat cat", "")),
    "tsquery": (T.STRING, ("fat & (rat | cat)",)),
    "point": (T.STRING, ("(1.5,-0)", "(Infinity,NaN)")),
    "box": (T.STRING, ("(1,1),(0,0)",)),
    "int4range": (T.STRING, ("[1,5)", "empty", "(,)")),
    "int4multirange": (T.STRING, ("{[1,5),[7,8)}", "{}")),
    "tstzrange": (T.STRING, ("[2024-01-01 00:00+00,infinity)",)),
    "pair": (T.JSON, ("(1,x)", "(,)", '(,"a""b")', '(2,"")')),
    "couple": (T.JSON, ("(1,x)", "(,)")),
    "pair[]": (T.LIST, ('{"(1,x)","(,)",NULL}', "{}")),
    "pg_lsn": (T.STRING, ("16/B374D848",)),
    "regclass": (T.STRING, ("pg_class", "0")),
    "aclitem": (T.STRING, ("postgres=r/postgres",)),
    "tid": (T.STRING, ("(0,1)",)),
    "xid8": (T.STRING, ("18446744073709551615",)),
    "int4[]": (T.LIST, ("{}", "{1,NULL,-3}", "[5:6]={7,8}", "{{1,2},{3,4}}")),
    "many": (T.LIST, ("{}", "{1,2}")),
    "text[]": (T.LIST, ("{}", '{a,"",NULL,"NULL","x,y","q\\"\\\\","{b}","é 日","\n"}', "{{a,b}}")),
    "float8[]": (T.LIST, ("{NaN,Infinity,-0,1e-300}",)),
    "numeric[]": (T.LIST, ("{NaN,1.50,-0.1}",)),
    "bool[]": (T.LIST, ("{t,f,NULL}",)),
    "date[]": (T.LIST, ("{2024-02-29,infinity}",)),
    "timestamptz[]": (T.LIST, ("{2024-01-01 00:00+00,infinity,NULL}",)),
    "timestamp[]": (T.LIST, ("{2024-01-01 00:00,2024-04-06 23:30}",)),
    "uuid[]": (T.LIST, ("{00000000-0000-0000-0000-000000000000}",)),
    "bytea[]": (T.LIST, (r'{"\\xdead",NULL}',)),
    "jsonb[]": (T.LIST, ('{"{\\"a\\": 1}",NULL}',)),
    "interval[]": (T.LIST, ("{1 day}",)),
    "box[]": (T.LIST, ("{(1,1),(0,0)}",)),
    "inet[]": (T.LIST, ("{::1}",)),
}


def literal(type_: str, text: str | None) -> str:
    """The value in SQL; none is null."""
    return f"NULL::{type_}" if text is None else f"('{text.replace(chr(39), chr(39) * 2)}'::{type_})"


def rows_of_one(type_: str, texts: tuple[str | None, ...]) -> str:
    """A query whose column `v` has these values of the type, in order."""
    rows = ", ".join(f"({number}, {literal(type_, text)})" for number, text in enumerate(texts))
    return f"SELECT v FROM (VALUES {rows}) t (n, v) ORDER BY n"
