"""Run by test_postgres_binary in a process of its own: right and wrong streams through copy.c under the sanitizers.

The sanitizers end the process at the first wrong byte. Whatever comes, the answer is right, or one of the errors that
`copy_arrays` names; and nothing stays allocated.
"""

import random
import struct
import sys
from collections.abc import Sequence
from contextlib import closing, suppress
from decimal import Decimal, getcontext
from itertools import islice
from pathlib import Path

import pyarrow as pa
from copystream import HEADER, TRAILER, Server, numeric, row_message, value_of

from offtake.errors import SourceFailed
from offtake.source.arrow_types import CLOCK, INSTANT
from offtake.source.binary import Kind, Parts, Slot, copy_arrays, load
from offtake.source.copycsv import CopyFailed

LOADED = load(Path(sys.argv[1]))
assert LOADED is not None
LIBRARY = LOADED.ours
getcontext().prec = 200
CHANCE = random.Random(20_240_229)
SLOTS = [
    Slot("text", Kind.TEXT, pa.string()),
    Slot("flag", Kind.BOOLEAN, pa.bool_()),
    Slot("small", Kind.INT2, pa.int64()),
    Slot("whole", Kind.INT4, pa.int64()),
    Slot("large", Kind.INT8, pa.int64()),
    Slot("oid", Kind.OID, pa.int64()),
    Slot("ratio", Kind.DOUBLE, pa.float64()),
    Slot("amount", Kind.NUMERIC, pa.decimal128(38, 4)),
    Slot("day", Kind.DATE, pa.date32()),
    Slot("clock", Kind.TIME, CLOCK),
    Slot("moment", Kind.INSTANT, INSTANT),
    Slot("code", Kind.UUID, pa.string()),
]
ROW = row_message(
    "é\n".encode(),
    b"\1",
    struct.pack("!h", -2),
    struct.pack("!i", -3),
    struct.pack("!q", -(2**63)),
    struct.pack("!I", 2**32 - 1),
    struct.pack("!d", -0.5),
    numeric([12, 3456, 7000], 1, 0x4000, 1),
    struct.pack("!i", -10_957),
    struct.pack("!q", 86_399_999_999),
    struct.pack("!q", -946_684_800_000_000),
    bytes(range(16)),
)
NULLS = row_message(*[None] * len(SLOTS))
EXPECTED = ["é\n", True, -2, -3, -(2**63), 2**32 - 1, -0.5, Decimal("-123456.7"), 0, 86_399_999_999, 0]
EXPECTED += ["00010203-0405-0607-0809-0a0b0c0d0e0f"]


def take(
    messages: Sequence[bytes | int], slots: Sequence[Slot] = SLOTS, most: int | None = None
) -> list[list[pa.Array]]:
    """At most so many batches of the stream. Whether they come or not, no memory may be left once they are gone."""
    with Server(messages) as server:
        assert LOADED is not None
        parts = Parts(LIBRARY, server.get_row, server.free_row)
        with closing(copy_arrays(server, slots, is_utf8=False, parts=parts)) as arrays:  # type: ignore[arg-type]
            try:
                return list(islice(arrays, most))
            finally:
                assert not server.unfreed


def told(messages: Sequence[bytes | int], slots: Sequence[Slot] = SLOTS) -> str:
    """The error, or nothing if the arrays are well formed. No memory stays behind."""
    said = ""
    try:
        _validate(take(messages, slots))
    except SourceFailed as error:
        said = error.detail
    except CopyFailed as error:
        said = error.sqlstate
    assert LIBRARY.offtake_alive() == 0
    return said


def _validate(batches: list[list[pa.Array]]) -> None:
    for batch in batches:
        for array in batch:
            array.validate()


def plain(array: pa.Array) -> list[object]:
    """Its values, times as numbers."""
    if array.type in (CLOCK, INSTANT):
        return list(array.view(pa.int64()).to_pylist())
    return list((array.view(pa.int32()) if array.type == pa.date32() else array).to_pylist())


def right_streams_are_read() -> None:
    """In one message or many, with pauses, over the end of a batch, and with a header that has an extension."""
    longer = HEADER[:-4] + struct.pack("!I", 3) + b"abc"
    for begin in ([HEADER + ROW], [HEADER, ROW], [longer + ROW], [0, 0, HEADER, 0, ROW]):
        (batch,) = take([*begin, NULLS, 0, ROW, TRAILER, -1])
        assert [plain(array) for array in batch] == [[value, None, value] for value in EXPECTED]
        assert LIBRARY.offtake_alive() > 0
        del batch
        assert LIBRARY.offtake_alive() == 0
    flags = [CHANCE.choice([b"\0", b"\1", None]) for _ in range(16_385 + 16_384)]
    rows = (row_message(flag, flag, numeric([1], 0), flag and b"\0\0\0\1") for flag in flags)
    batches = take([HEADER, *rows, TRAILER], [SLOTS[0], SLOTS[1], SLOTS[7], SLOTS[8]])
    assert [len(batch[0]) for batch in batches] == [16_384, 16_384, 1]
    values = [value for batch in batches for value in batch[1].to_pylist()]
    assert values == [None if flag is None else flag == b"\1" for flag in flags]
    texts = [bytes(CHANCE.choices(b"ab", k=CHANCE.choice((0, 1, 70_000, 3_000_000)))) for _ in range(9)]
    batches = take([HEADER, *map(row_message, texts), TRAILER], SLOTS[:1])
    assert [value for batch in batches for value in batch[0].to_pylist()] == [text.decode() for text in texts]
    del batches
    assert told([HEADER + TRAILER]) == told([]) == ""


def wrong_streams_are_refused() -> None:
    """Cut at every byte, with every bit flipped, with lengths and counts that nothing has."""
    for whole in (HEADER + ROW, HEADER + NULLS):
        for size in range(1, len(whole)):
            assert told([whole[:size]]) or size == len(HEADER)
        for bit in range(8 * len(whole)):
            wrong = bytearray(whole)
            wrong[bit // 8] ^= 1 << bit % 8
            told([bytes(wrong), ROW])
    for size in (-2, -(2**31), 2**31 - 1, len(ROW), 5, 7, 2**30):
        assert told([HEADER, struct.pack("!hi", 1, size) + b"1234"], SLOTS[:1])
    for count in (-2, -(2**15), 2**15 - 1, 0, 2):
        assert told([HEADER, struct.pack("!hi", count, 1) + b"1"], SLOTS[:1])
    for extension in (1, 2**31, 2**32 - 1):
        assert told([HEADER[:-4] + struct.pack("!I", extension)])
    assert all(
        told([HEADER, message], SLOTS[:1]) for message in (row_message(b"\xff"), row_message(b"") + b"\0", b"\1")
    )
    assert told([HEADER, ROW, -2]) == "08006"
    for slot in SLOTS[1:]:
        for size in range(40):
            told([HEADER, row_message(bytes(CHANCE.randbytes(size)))], [slot])
    for _ in range(1000):
        told(
            [HEADER * CHANCE.randrange(2) + CHANCE.randbytes(CHANCE.randrange(1, 60))], SLOTS[: CHANCE.randrange(1, 4)]
        )


def values_that_do_not_fit_are_refused() -> None:
    """Each at the last value that fits."""
    edges = {
        Kind.DATE: ("!i", 2**31 - 1 - 10_957, 2**31 - 1 - 10_957 - 1),
        Kind.INSTANT: ("!q", 2**63 - 1 - 946_684_800_000_000, 2**63 - 1 - 946_684_800_000_000 - 1),
        Kind.TIME: ("!q", 86_400_000_000, 86_399_999_999),
    }
    for slot in SLOTS:
        if slot.kind in edges:
            form, wrong, right = edges[slot.kind]
            assert f"field {slot.name} " in told([HEADER, row_message(struct.pack(form, wrong))], [slot])
            for value in (right, 0):
                assert told([HEADER, row_message(struct.pack(form, value))], [slot]) == ""


def numerics_are_what_decimal_says() -> None:
    """Any digits, weight and scale: the number itself, or a refusal if it has more places or more than 127 bits."""
    for number in range(6000):
        scale = CHANCE.choice((0, 1, 2, 3, 4, 7, 8, 19, 37, 38))
        groups = [CHANCE.choice((0, 1, 9, 10, 100, 1000, 9990, 9999)) for _ in range(CHANCE.randrange(12))]
        while groups and groups[-1] == 0:
            groups.pop()
        weight = CHANCE.randrange(-11, 12) if number % 50 else CHANCE.choice((-32_768, 32_767))
        sign = CHANCE.choice((0, 0x4000))
        slot = Slot("n", Kind.NUMERIC, pa.decimal128(38, scale))
        exact = value_of(groups, weight, sign).scaleb(scale) if abs(weight) < 20 else None
        fits = not groups or (exact is not None and exact == int(exact) and abs(exact) < 2**127)
        try:
            ((array,),) = take([HEADER, row_message(numeric(groups, weight, sign))], [slot])
        except SourceFailed:
            assert not fits, (groups, weight, scale)
        else:
            got = int.from_bytes(array.buffers()[1].to_pybytes(), "little", signed=True)
            assert (fits, got) == (True, int(exact or 0)), (groups, weight, scale)


def absurd_numerics_are_refused() -> None:
    """Digits that are not there, far too many of them, signs of what is no number."""
    for count in (1, 9, 32_767, 65_535):
        told([HEADER, row_message(numeric([1], 0, told=count))], SLOTS[7:8])
        told([HEADER, row_message(numeric([9999] * count, CHANCE.randrange(-32_768, 32_767)))], SLOTS[7:8])
        told([HEADER, row_message(numeric([0] * count, 32_767))], SLOTS[7:8])
    for sign in (0xC000, 0xD000, 0xF000, 1):
        assert told([HEADER, row_message(numeric([], 0, sign))], SLOTS[7:8])


def nothing_is_left_without_memory_or_when_left() -> None:
    """Every allocation fails once; and a stream is left after its first batch."""
    rows = [HEADER, *[row_message(b"x" * 30_000)] * 50]
    for allowed in range(30):
        LIBRARY.offtake_allow(allowed)
        with suppress(SourceFailed):
            take(rows, SLOTS[:4])
        LIBRARY.offtake_allow(-1)
        assert told([HEADER, ROW]) == ""
    refused = []
    for allowed in range(5):
        LIBRARY.offtake_allow(allowed)
        refused.append(told(rows, SLOTS[:1]))
        LIBRARY.offtake_allow(-1)
    assert all("memory" in text for text in refused)
    assert len(take(rows, SLOTS[:1], most=1)) == 1
    assert LIBRARY.offtake_alive() == 0


right_streams_are_read()
wrong_streams_are_refused()
values_that_do_not_fit_are_refused()
numerics_are_what_decimal_says()
absurd_numerics_are_refused()
nothing_is_left_without_memory_or_when_left()
print("clean")
