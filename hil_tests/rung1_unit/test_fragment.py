import pytest

from flight.instant import Instant
from flight.relay.bundle import (
    BlockFlag,
    Bundle,
    BundleFlag,
    CanonicalBlock,
    Reassembler,
    encode_bundle,
    fragment_bundle,
    make_bundle,
    read_bundle,
)
from flight.relay.bundle.fragment import PIECE_COST_BYTES, ReassemblyLimits
from flight.relay.endpoint import NONE, ipn

NOW = Instant(1_000_000, 816_000_000_000)


def whole(length: int = 1000, *, sequence: int = 7) -> Bundle:
    bundle = make_bundle(
        bytes(i * 7 & 0xFF for i in range(length)),
        source=ipn(1, 1),
        destination=ipn(3, 65),
        created_ms=NOW.dtn_ms,
        sequence=sequence,
        lifetime_ms=60_000,
        age_ms=3,
    )
    return bundle.with_block(CanonicalBlock(200, 9, b"first only"))


def arrive(fragments) -> tuple[Bundle, ...]:
    return tuple(read_bundle(encode_bundle(fragment)) for fragment in fragments)


def put(reassembler: Reassembler, *fragments: Bundle) -> Bundle | None:
    outcome = None
    for fragment in fragments:
        outcome = reassembler.add(fragment, remaining_ms=60_000, now=NOW)
    return outcome


@pytest.mark.parametrize("size", [1, 7, 250, 999])
def test_fragments_make_the_whole_again_in_any_order(size: int) -> None:
    bundle = whole()
    fragments = arrive(fragment_bundle(bundle, payload_bytes=size))
    assert all(len(fragment.payload) <= size for fragment in fragments)
    reassembler = Reassembler()
    assert put(reassembler, *fragments[::2][::-1]) is None
    assert put(reassembler, *fragments[1::2]) == bundle
    assert reassembler.held_bytes == 0


def test_a_bundle_that_fits_is_not_cut() -> None:
    assert fragment_bundle(whole(), payload_bytes=1000) == (whole(),)


def test_blocks_go_into_every_fragment_only_when_they_say_so() -> None:
    first, *others = fragment_bundle(whole(), payload_bytes=300)
    assert [block.type for block in first.blocks] == [200, 7, 1]
    for other in others:
        assert [block.type for block in other.blocks] == [7, 1]
        assert other.blocks[0].flags & BlockFlag.REPLICATE


def test_fragments_of_fragments_make_the_whole_again() -> None:
    bundle = whole()
    inner = [
        part
        for fragment in fragment_bundle(bundle, payload_bytes=400)
        for part in fragment_bundle(fragment, payload_bytes=150)
    ]
    assert put(Reassembler(), *arrive(inner)) == bundle


def test_overlapping_fragments_make_the_whole_again_and_the_first_bytes_stay() -> None:
    bundle = whole()
    coarse = arrive(fragment_bundle(bundle, payload_bytes=400))
    fine = arrive(fragment_bundle(bundle, payload_bytes=90))
    liar = fine[5].with_payload(b"\0" * 90)
    assert put(Reassembler(), fine[1], fine[5], liar, *coarse) == bundle


def test_fragments_of_different_bundles_are_kept_apart() -> None:
    one, two = whole(), whole(sequence=8)
    reassembler = Reassembler()
    mixed = zip(
        arrive(fragment_bundle(one, payload_bytes=500)),
        arrive(fragment_bundle(two, payload_bytes=500)),
        strict=True,
    )
    done = [reassembler.add(f, remaining_ms=1, now=NOW) for pair in mixed for f in pair]
    assert done == [None, None, one, two]


def test_fragments_that_disagree_on_the_total_are_kept_apart() -> None:
    bundle = whole()
    first, second = arrive(fragment_bundle(bundle, payload_bytes=500))
    longer = arrive(fragment_bundle(whole(1001), payload_bytes=500))
    assert put(Reassembler(), longer[0], second) is None
    assert put(Reassembler(), longer[0], first, second) == bundle


@pytest.mark.parametrize(
    ("flags", "source"),
    [(BundleFlag.MUST_NOT_FRAGMENT, ipn(1, 1)), (BundleFlag.MUST_NOT_FRAGMENT, NONE)],
)
def test_what_must_not_be_cut_is_not(flags, source) -> None:
    bundle = make_bundle(
        b"ab",
        source=source,
        destination=ipn(2, 1),
        created_ms=1,
        sequence=0,
        lifetime_ms=1,
        flags=flags,
    )
    with pytest.raises(ValueError, match="must not be fragmented"):
        fragment_bundle(bundle, payload_bytes=1)
    with pytest.raises(ValueError, match="a byte"):
        fragment_bundle(bundle, payload_bytes=0)


def test_sets_that_never_complete_are_dropped_when_their_time_is_over() -> None:
    reassembler = Reassembler()
    first, *_ = fragment_bundle(whole(), payload_bytes=300)
    put(reassembler, first)
    deadline_ns = reassembler.next_deadline_ns()
    assert deadline_ns == NOW.mono_ns + 60_000 * 1_000_000
    reassembler.expire(Instant(deadline_ns - 1, 0))
    assert reassembler.take_dropped() == ()
    reassembler.expire(Instant(deadline_ns, 0))
    assert reassembler.take_dropped() == (whole().id,)
    assert (reassembler.held_bytes, reassembler.next_deadline_ns()) == (0, None)


def test_a_flood_of_fragments_stays_within_the_limits() -> None:
    limits = ReassemblyLimits(whole_bytes=200, total_bytes=20_000, sets=4)
    reassembler = Reassembler(limits)
    for sequence in range(20):
        for fragment in fragment_bundle(whole(200, sequence=sequence), payload_bytes=1)[::2]:
            put(reassembler, fragment)
            assert reassembler.held_bytes <= limits.total_bytes
    assert len(reassembler.take_dropped()) >= 16


def test_a_set_that_still_grows_outlives_one_that_does_not() -> None:
    reassembler = Reassembler(ReassemblyLimits(sets=2))
    sets = [fragment_bundle(whole(sequence=n), payload_bytes=400) for n in range(3)]
    put(reassembler, sets[0][0], sets[1][0], sets[0][1], sets[2][0])
    assert reassembler.take_dropped() == (whole(sequence=1).id,)
    assert put(reassembler, sets[0][2]) == whole(sequence=0)


def test_a_total_beyond_the_limit_is_dropped_at_once() -> None:
    reassembler = Reassembler(ReassemblyLimits(whole_bytes=999))
    first, _ = fragment_bundle(whole(), payload_bytes=500)
    assert put(reassembler, first) is None
    assert reassembler.take_dropped() == (first.id,)
    assert reassembler.held_bytes == 0


def test_the_blocks_of_a_first_fragment_count() -> None:
    reassembler = Reassembler()
    first, _ = fragment_bundle(
        whole().with_block(CanonicalBlock(201, 10, bytes(10_000))), payload_bytes=500
    )
    put(reassembler, first)
    assert reassembler.held_bytes > 10_000 + 500 + PIECE_COST_BYTES
