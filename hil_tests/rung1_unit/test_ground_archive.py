import sqlite3
from dataclasses import replace

import pytest

from flight.product.part import ProductId, ProductKind, decode_part
from ground.archive import CATALOGUE_FILE, open_archive, reindex
from ground.catalogue import CatalogueError
from ground.raw import RawError, raw_files
from ground.rows import Filter
from tools.sim.downlink import Board, whole_run
from tools.sim.exposures import START_MS, camera

ARRIVALS = whole_run()


@pytest.fixture
def archive(tmp_path):
    with open_archive(tmp_path, make=True) as archive:
        yield archive


def contents(archive):
    return (archive.products(), archive.catalogue.arrivals(), archive.catalogue.tally())


def test_a_rebuilt_catalogue_is_the_one_that_grew(archive, tmp_path):
    for arrival in ARRIVALS:
        archive.keep((arrival,))
    grown = contents(archive)
    with reindex(tmp_path) as rebuilt:
        assert contents(rebuilt) == grown


def test_a_product_stored_twice_is_stored_once(archive):
    archive.keep(ARRIVALS)
    before = archive.products()
    archive.keep(ARRIVALS)
    assert archive.products() == before
    assert archive.catalogue.tally().repeated == len(ARRIVALS)


def test_raw_files_are_never_rewritten(archive, tmp_path):
    archive.keep(ARRIVALS[:10])
    path = raw_files(tmp_path / "raw")[0]
    before = path.read_bytes()
    archive.keep(ARRIVALS)
    reindex(tmp_path).close()
    assert path.read_bytes().startswith(before)


def test_generation_and_reception_time_are_both_kept(archive):
    late = replace(ARRIVALS[1], received_ms=START_MS + 9_000_000)
    archive.keep((late,))
    row = archive.products()[0]
    assert row.header.taken.dtn_ms == START_MS
    assert row.first_received_ms == START_MS + 9_000_000


def test_late_parts_land_where_they_belong(archive):
    arrivals = whole_frame_arrivals()
    assert len(arrivals) > 2
    archive.keep((arrivals[-1], arrivals[0]))
    row = archive.products()[0]
    assert row.missing == tuple(range(1, len(arrivals) - 1))
    assert not row.complete
    archive.keep(arrivals[1:-1])
    row = archive.products()[0]
    assert row.complete
    assert [part.index for part in archive.parts(row.header.id)] == list(range(len(arrivals)))


def whole_frame_arrivals():
    board = Board()
    arrivals = board.expose(camera(0, side=768))
    frames = (ProductKind.FRAME,)
    return tuple(a for a in arrivals if decode_part(a.payload).header.kind in frames)


def test_products_are_found_by_kind_priority_sensor_frame_and_time(archive):
    archive.keep(ARRIVALS)

    def found(**chosen):
        return {row.header.kind for row in archive.products(Filter(**chosen))}

    assert found(kinds=frozenset((ProductKind.BOOT,))) == {ProductKind.BOOT}
    assert found(priorities=frozenset((3,))) == {ProductKind.FRAME}
    assert found(sensors=frozenset(("xray",))) == {
        ProductKind.DECISION,
        ProductKind.XRAY_SPECTRUM,
        ProductKind.OUTPUTS,
    }
    assert all(r.header.frame_number == 1 for r in archive.products(Filter(frame_number=1)))
    later = archive.products(Filter(since_ms=START_MS + 10_000, until_ms=START_MS + 10_001))
    assert {(r.header.sensor, r.header.frame_number) for r in later} == {("camera", 1)}
    assert archive.products(Filter(sensors=frozenset(("'; DROP TABLE parts",)))) == ()


def test_a_payload_that_is_no_part_is_kept_raw_and_refused_by_name(archive):
    junk = replace(ARRIVALS[0], payload=b"\xc1 no msgpack")
    archive.keep((junk, ARRIVALS[0]))
    assert archive.catalogue.tally().refused == 1
    assert archive.catalogue.refusals()[0][0] == junk.bundle_name
    assert len(archive.products()) == 1


def test_a_refused_payload_that_is_handed_out_once_more_counts_once(archive):
    junk = replace(Board().start()[0], payload=b"\xff not a part", sequence=77)
    other = replace(junk, payload=b"junk of another kind")
    archive.keep((junk,))
    archive.keep((junk, other))
    refused = [reason for _, reason in archive.catalogue.refusals()]
    assert len(refused) == len(set(refused)) == archive.catalogue.tally().refused
    assert archive.catalogue.tally().repeated == 3 - len(refused) >= 1


def test_a_part_that_claims_another_node_is_refused(archive):
    archive.keep((replace(ARRIVALS[0], source="ipn:7.1"),))
    assert archive.products() == ()
    assert "node 1 came from ipn:7.1" in archive.catalogue.refusals()[0][1]


def test_a_part_that_contradicts_the_first_is_refused_and_the_first_stays(archive):
    part = decode_part(ARRIVALS[1].payload)
    other = replace(part, data=part.data + b"x")
    archive.keep((ARRIVALS[1], replace(ARRIVALS[1], payload=other.encode())))
    assert archive.parts(part.header.id) == (part,)
    assert "differs from the one that came first" in archive.catalogue.refusals()[0][1]


def test_a_header_that_contradicts_the_first_is_refused_by_field(archive):
    part = decode_part(ARRIVALS[1].payload)
    other = replace(part, header=replace(part.header, sensor="mast", frame_number=9))
    archive.keep((ARRIVALS[1], replace(ARRIVALS[1], payload=other.encode())))
    assert "sensor and frame_number differ" in archive.catalogue.refusals()[0][1]


def test_priority_is_how_the_bundle_travelled(archive):
    archive.keep(ARRIVALS)
    assert {row.priority for row in archive.products()} == {0, 1, 2, 3}
    assert all(row.priority == row.header.kind.priority for row in archive.products())


def test_numbers_of_any_size_from_the_link_are_taken(archive):
    huge = replace(ARRIVALS[0], created_ms=2**64 - 1, sequence=2**64 - 1, received_ms=2**64 - 1)
    archive.keep((huge,))
    assert len(archive.products()) == 1


def test_a_reader_sees_what_a_dead_station_left_uncatalogued(archive, tmp_path):
    archive.keep(ARRIVALS[:5])
    archive._writer.append(ARRIVALS[5:9])
    with open_archive(tmp_path) as reader:
        assert reader.catalogue.tally().kept == 9
    archive.catch_up()
    assert archive.catalogue.tally().kept == 9
    assert archive.catalogue.tally().repeated == 0


def test_a_half_written_record_is_looked_at_again_when_it_is_whole(archive, tmp_path):
    archive.keep(ARRIVALS[:3])
    path = raw_files(tmp_path / "raw")[0]
    whole = path.read_bytes()
    with open_archive(tmp_path / "copy", make=True) as copy:
        target = tmp_path / "copy" / "raw" / path.name
        target.write_bytes(whole[:-10])
        copy.catch_up()
        assert copy.catalogue.tally().kept == 2
        assert copy.catalogue.damages() == ()
        target.write_bytes(whole)
        copy.catch_up()
        assert copy.catalogue.tally().kept == 3


def test_a_torn_tail_is_reported_once_a_newer_file_is_there(archive, tmp_path):
    archive.keep(ARRIVALS[:3])
    archive.close()
    path = raw_files(tmp_path / "raw")[0]
    path.write_bytes(path.read_bytes()[:-10])
    with reindex(tmp_path) as fresh:
        fresh.keep(ARRIVALS[3:5])
        assert fresh.catalogue.tally().kept == 4
        assert [damage.file for damage in fresh.catalogue.damages()] == [path.name]


def test_a_broken_catalogue_names_the_remedy_which_works(archive, tmp_path):
    archive.keep(ARRIVALS)
    before = contents(archive)
    archive.close()
    (tmp_path / CATALOGUE_FILE).write_bytes(b"not a database" * 100)
    with pytest.raises(CatalogueError, match="ground reindex"):
        open_archive(tmp_path)
    with reindex(tmp_path) as rebuilt:
        assert contents(rebuilt) == before


def test_a_catalogue_of_another_version_names_the_remedy_which_works(archive, tmp_path):
    archive.keep(ARRIVALS)
    archive.close()
    database = sqlite3.connect(tmp_path / CATALOGUE_FILE)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(CatalogueError, match="version 99"):
        open_archive(tmp_path)
    with reindex(tmp_path) as rebuilt:
        assert rebuilt.catalogue.tally().kept == len(ARRIVALS)


def test_a_folder_without_an_archive_is_named(tmp_path):
    with pytest.raises(RawError, match="no archive here"):
        open_archive(tmp_path / "nothing")


def test_rot_in_a_part_after_it_was_taken_in_makes_it_missing(archive, tmp_path):
    archive.keep(ARRIVALS[:2])
    product = ProductId(1, 1, 1)
    assert len(archive.parts(product)) == 1
    path = raw_files(tmp_path / "raw")[0]
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    assert archive.parts(product) == ()
