"""The ground takes any bytes in any order, and says the same of them every time."""

import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from flight.product.errors import WireError
from flight.product.part import ProductKind, decode_part
from ground.archive import open_archive, reindex
from ground.content import decode_product
from ground.export import TABLES
from ground.library import Library
from ground.raw import Arrival, Damage, RawWriter, raw_files, scan
from ground.replay import Outcome, replay
from ground.report.markup import tag
from ground.show import show
from ground.verify import verify_frames
from tools.sim.downlink import whole_run

ARRIVALS = whole_run()
NUMBERS = st.integers(0, 2**64 - 1)
FEW = settings(max_examples=8)
MEMORY = Path("/dev/shm")


def folder_in_memory():
    """A folder that is gone afterwards, where synchronising costs nothing if there is one."""
    return tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)


@st.composite
def arrivals(draw):
    return Arrival(
        source=draw(st.text(max_size=20)),
        destination=draw(st.text(max_size=20)),
        created_ms=draw(NUMBERS),
        sequence=draw(NUMBERS),
        received_ms=draw(NUMBERS),
        payload=draw(st.binary(max_size=200)),
    )


def contents(archive):
    catalogue = archive.catalogue
    return archive.products(), catalogue.arrivals(), catalogue.tally(), catalogue.refusals()


@given(st.lists(arrivals(), max_size=6))
def test_raw_files_give_back_what_they_were_given(kept):
    with folder_in_memory() as folder:
        writer = RawWriter(Path(folder))
        writer.append(tuple(kept))
        writer.close()
        found = [item for path in raw_files(Path(folder)) for item in scan(path)]
    assert [item[1] for item in found] == kept


@given(st.lists(arrivals(), min_size=1, max_size=5), st.data())
def test_any_damage_to_a_raw_file_costs_no_record_that_it_does_not_touch(kept, data):
    with folder_in_memory() as folder:
        writer = RawWriter(Path(folder))
        places = writer.append(tuple(kept))
        writer.close()
        (path,) = raw_files(Path(folder))
        whole = path.read_bytes()
        start = data.draw(st.integers(places[0].offset, len(whole) - 1))
        end = data.draw(st.integers(start + 1, len(whole)))
        spoilt = data.draw(st.binary(min_size=end - start, max_size=end - start))
        path.write_bytes(whole[:start] + spoilt + whole[end:])
        found = [item[1] for item in scan(path) if not isinstance(item, Damage)]
    untouched = [
        arrival
        for place, arrival in zip(places, kept, strict=True)
        if place.offset + place.length <= start or place.offset >= end
    ]
    rest = iter(found)
    assert all(any(arrival == item for item in rest) for arrival in untouched)
    assert len(found) <= len(kept)


@FEW
@given(st.permutations(ARRIVALS), st.lists(st.integers(0, len(ARRIVALS) - 1), max_size=5))
def test_any_order_with_any_repeats_gives_the_same_products_and_the_same_replay(order, again):
    with folder_in_memory() as folder:
        with open_archive(Path(folder), make=True) as archive:
            archive.keep((*order, *(ARRIVALS[index] for index in again)))
            grown = contents(archive)
            assert all(row.complete for row in archive.products())
            assert archive.catalogue.tally().kept == len(ARRIVALS)
            assert archive.catalogue.tally().repeated == len(again)
            assert replay(Library(archive)).identical
        with reindex(Path(folder)) as rebuilt:
            assert contents(rebuilt) == grown


@FEW
@given(st.sets(st.integers(0, len(ARRIVALS) - 1)))
def test_what_is_missing_is_never_agreement_and_never_a_divergence(lost):
    arrived = tuple(a for index, a in enumerate(ARRIVALS) if index not in lost)
    with (
        folder_in_memory() as folder,
        open_archive(Path(folder), make=True) as archive,
    ):
        archive.keep(arrived)
        result = replay(Library(archive))
    assert result.count(Outcome.DIVERGES) == 0
    kinds = [decode_part(ARRIVALS[index].payload).header.kind for index in lost]
    needed = {ProductKind.BOOT, ProductKind.OUTPUTS, ProductKind.XRAY_SPECTRUM}
    if needed & set(kinds):
        assert not result.identical


@FEW
@given(st.data())
def test_spoilt_payloads_stop_nothing(data):
    """Bytes, fields and contents are changed at random; every command's work still ends."""
    spoilt = []
    for arrival in ARRIVALS:
        if data.draw(st.booleans()):
            spoilt.append(arrival)
            continue
        part = decode_part(arrival.payload)
        body = bytearray(part.data)
        for _ in range(data.draw(st.integers(1, 4))):
            if body:
                body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
        header = replace(part.header, codec=data.draw(st.sampled_from((part.header.codec, 0, 1))))
        spoilt.append(
            replace(arrival, payload=replace(part, data=bytes(body), header=header).encode())
        )
    with (
        folder_in_memory() as folder,
        open_archive(Path(folder), make=True) as archive,
    ):
        archive.keep(tuple(spoilt))
        library = Library(archive)
        replay(library)
        verify_frames(library)
        for table in TABLES.values():
            list(table(library))
        for row in archive.products():
            try:
                show(library, row.header.id, None)
            except WireError:
                continue


@settings(max_examples=200)
@given(st.integers(0, len(ARRIVALS) - 1), st.binary(max_size=300))
def test_a_product_of_any_bytes_is_read_or_refused(index, data):
    part = decode_part(ARRIVALS[index].payload)
    try:
        decode_product(part.header, (replace(part, data=data),))
    except WireError:
        return


@given(st.text(), st.text())
def test_no_text_becomes_markup(text, value):
    made = tag("p", text, title=value)
    assert made.count("<") == 2
    assert made.count(">") == 2
    assert made.count('"') == 2
