"""Any bytes, any cut, any flip: a record is read whole or refused, and nothing else happens."""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flight.product.errors import WireError
from flight.product.events import decode_events
from flight.product.journal import GENESIS, decode_entry, enter
from flight.product.part import decode_part
from flight.product.records import Schema, pack_record
from flight.product.status import Boot, Command, Health, Reply
from flight.product.values import Decision, Finding, Kind, Verdict
from hil_tests.rung1_unit.test_product_records import make_part, make_step

READERS: tuple[Callable[[bytes], object], ...] = (
    decode_part,
    decode_entry,
    decode_events,
    Boot.decode,
    Command.decode,
    Health.decode,
    Reply.decode,
)
trees = st.recursive(
    st.integers(-(2**63), 2**64 - 1)
    | st.binary(max_size=40)
    | st.text(max_size=20)
    | st.booleans(),
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=20,
)
findings = st.builds(
    Finding,
    kind=st.sampled_from(Kind),
    row=st.integers(-(2**31), 2**31),
    score=st.integers(-(2**63), 2**63 - 1),
    label=st.integers(0, 255),
)
decisions = st.builds(
    Decision,
    frame_number=st.integers(0, 2**40),
    verdict=st.sampled_from(Verdict),
    keep_evidence=st.booleans(),
    keep_frame=st.booleans(),
    findings=st.lists(findings, max_size=8).map(tuple),
    maximum_error=st.integers(0, 255),
)


@given(decisions, st.binary(min_size=32, max_size=32))
def test_every_entry_comes_back(decision: Decision, previous: bytes):
    entry = enter(previous, make_step(), decision)
    assert decode_entry(entry.encode()) == entry


@pytest.mark.parametrize("read", READERS)
@given(data=st.binary(max_size=300))
def test_any_bytes_are_refused_or_read(read: Callable[[bytes], object], data: bytes):
    with contextlib.suppress(WireError):
        read(data)


@given(st.sampled_from(Schema), st.lists(trees, max_size=16))
def test_any_tree_of_any_schema_is_refused_or_read(schema: Schema, fields: list[object]):
    record = pack_record(schema, 1, fields)
    for read in READERS:
        with contextlib.suppress(WireError):
            read(record)


@given(st.data())
def test_a_damaged_record_is_refused_or_read(data: st.DataObject):
    good = data.draw(
        st.sampled_from(
            [
                make_part().encode(),
                enter(GENESIS, make_step(), Decision(1, Verdict.SURVEYED, True, True, ())).encode(),
            ]
        )
    )
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(bad[: data.draw(st.integers(0, len(bad)))])
    for read in (decode_part, decode_entry):
        with contextlib.suppress(WireError):
            read(cut)
