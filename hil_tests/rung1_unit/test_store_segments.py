"""Places for blobs in the segment files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flight.relay.store.files import SystemFiles
from flight.relay.store.segments import ALIGNMENT, SegmentFiles
from flight.relay.store.values import Extent

SEGMENT = 4 * ALIGNMENT


@pytest.fixture
def segments(tmp_path: Path) -> Iterator[SegmentFiles]:
    segments = SegmentFiles(SystemFiles(), tmp_path, SEGMENT)
    segments.limit = 2
    yield segments
    segments.close()


def test_bytes_come_back_from_their_place(segments: SegmentFiles) -> None:
    places = [segments.allocate(5_000), segments.allocate(10)]
    for place, content in zip(places, (b"a" * 5_000, b"b" * 10), strict=True):
        assert place is not None
        segments.write(place, content)
        segments.start_sync()
        segments.finish_sync()
        assert segments.read(place) == content


def test_no_two_places_share_a_block(segments: SegmentFiles) -> None:
    assert segments.allocate(1) == Extent(0, 0, 1)
    assert segments.allocate(1) == Extent(0, ALIGNMENT, 1)


def test_a_further_file_is_made_up_to_the_limit(segments: SegmentFiles) -> None:
    assert segments.allocate(SEGMENT) == Extent(0, 0, SEGMENT)
    assert segments.allocate(SEGMENT) == Extent(1, 0, SEGMENT)
    assert segments.allocate(1) is None


def test_what_is_larger_than_a_file_has_no_place(segments: SegmentFiles) -> None:
    assert segments.allocate(SEGMENT + 1) is None


def test_freed_neighbours_become_one_gap(segments: SegmentFiles) -> None:
    places = [segments.allocate(ALIGNMENT) for _ in range(4)]
    for index in (0, 2, 1):
        place = places[index]
        assert place is not None
        segments.free(place)
    assert segments.allocate(3 * ALIGNMENT) == Extent(0, 0, 3 * ALIGNMENT)


def test_claimed_places_are_not_given_out(tmp_path: Path, segments: SegmentFiles) -> None:
    assert segments.allocate(SEGMENT) is not None
    again = SegmentFiles(SystemFiles(), tmp_path, SEGMENT)
    again.claim([Extent(0, ALIGNMENT, 100)])
    assert again.allocate(ALIGNMENT) == Extent(0, 0, ALIGNMENT)
    assert again.allocate(ALIGNMENT) == Extent(0, 2 * ALIGNMENT, ALIGNMENT)
    again.close()


def test_a_place_in_a_file_that_has_gone_reads_as_nothing(segments: SegmentFiles) -> None:
    assert segments.read(Extent(5, 0, 10)) == b""
