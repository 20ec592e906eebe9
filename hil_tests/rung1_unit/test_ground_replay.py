from dataclasses import replace

import numpy as np
import pytest

from flight.autonomy.decide import DecisionPolicy
from flight.autonomy.tasks import policy_integers
from flight.product.codecs import encode
from flight.product.journal import decode_entry, enter
from flight.product.part import ProductKind, decode_part
from flight.product.status import Boot
from ground.archive import open_archive
from ground.library import Library
from ground.replay import Outcome, replay
from ground.rows import Filter
from ground.verify import verify_frames
from tools.sim.downlink import Board, whole_run
from tools.sim.exposures import camera

ARRIVALS = whole_run()


def replayed(folder, arrivals):
    with open_archive(folder, make=True) as archive:
        archive.keep(tuple(arrivals))
        return replay(Library(archive))


def kind_of(arrival):
    return decode_part(arrival.payload).header.kind


def entry_in(arrival):
    return decode_entry(decode_part(arrival.payload).data)


def with_data(arrival, data):
    part = decode_part(arrival.payload)
    geometry = (0, len(data)) if len(part.geometry) == 2 else part.geometry
    return replace(arrival, payload=replace(part, data=data, geometry=geometry).encode())


def decisions():
    return [arrival for arrival in ARRIVALS if kind_of(arrival) is ProductKind.DECISION]


def swap(arrivals, old, new):
    return [new if arrival is old else arrival for arrival in arrivals]


def test_every_decision_of_a_sound_run_agrees(tmp_path):
    result = replayed(tmp_path, ARRIVALS)
    assert result.identical
    assert result.count(Outcome.AGREES) == 4
    assert result.first_divergence is None


def test_the_order_of_arrival_does_not_matter(tmp_path):
    assert replayed(tmp_path, reversed(ARRIVALS)).identical


def test_nothing_to_repeat_is_not_agreement(tmp_path):
    assert not replayed(tmp_path, ()).identical


def test_a_decision_that_the_inputs_do_not_give_is_named_with_both_values(tmp_path):
    first, lie = decisions()[0], decisions()[1]
    entry = entry_in(lie)
    site = replace(entry.decision.findings[0], row=entry.decision.findings[0].row + 1)
    decision = replace(entry.decision, findings=(site, *entry.decision.findings[1:]))
    forged = enter(entry_in(first).digest, entry.step, decision)
    result = replayed(tmp_path, swap(ARRIVALS, lie, with_data(lie, forged.encode())))
    found = result.first_divergence
    assert (found.step, found.what) == (1, "finding 0")
    assert f"row {site.row}" in found.board
    assert f"row {site.row - 1}" in found.ground


def test_a_verdict_that_was_changed_is_named(tmp_path):
    first, lie = decisions()[0], decisions()[1]
    entry = entry_in(lie)
    decision = replace(entry.decision, keep_frame=not entry.decision.keep_frame)
    forged = enter(entry_in(first).digest, entry.step, decision)
    result = replayed(tmp_path, swap(ARRIVALS, lie, with_data(lie, forged.encode())))
    found = result.first_divergence
    assert (found.step, found.what, found.board, found.ground) == (1, "keep frame", "True", "False")


def test_an_entry_changed_without_its_chain_is_named_by_its_digest(tmp_path):
    lie = decisions()[2]
    entry = entry_in(lie)
    changed = replace(entry, step=replace(entry.step, frame_name="other.png"))
    result = replayed(tmp_path, swap(ARRIVALS, lie, with_data(lie, changed.encode())))
    assert result.first_divergence.step == 2
    assert result.first_divergence.what == "chained digest"
    assert result.count(Outcome.DIVERGES) == 1


def test_a_missing_entry_is_missing_and_what_hangs_on_it_is_not_agreement(tmp_path):
    result = replayed(tmp_path, [a for a in ARRIVALS if a is not decisions()[1]])
    assert result.count(Outcome.MISSING) == 1
    assert result.count(Outcome.DIVERGES) == 0
    by_step = {check.step: check for check in result.checks}
    assert by_step[1].outcome is Outcome.MISSING
    assert by_step[2].outcome is Outcome.UNCHECKED
    assert "chain" in by_step[2].what
    assert not result.identical


def test_a_missing_last_entry_is_known_by_the_other_products_of_its_frame(tmp_path):
    result = replayed(tmp_path, [a for a in ARRIVALS if a is not decisions()[-1]])
    assert result.count(Outcome.AGREES) == 3
    assert result.count(Outcome.MISSING) == 1
    assert result.checks[-1].step == 3
    assert "entry of xray frame 0" in result.checks[-1].what


def test_products_without_any_entry_are_missing_decisions(tmp_path):
    kinds = (ProductKind.DECISION, ProductKind.FRAME)
    result = replayed(tmp_path, [a for a in ARRIVALS if kind_of(a) not in kinds])
    assert result.count(Outcome.MISSING) == 4
    assert not result.identical


def test_missing_tensors_are_named_and_not_agreement(tmp_path):
    without = [a for a in ARRIVALS if kind_of(a) is not ProductKind.OUTPUTS]
    result = replayed(tmp_path, without)
    assert result.count(Outcome.UNCHECKED) == 4
    assert "outputs" in result.checks[0].what
    assert not result.identical


def test_a_missing_spectrum_is_named(tmp_path):
    without = [a for a in ARRIVALS if kind_of(a) is not ProductKind.XRAY_SPECTRUM]
    result = replayed(tmp_path, without)
    assert [c.step for c in result.checks if c.outcome is Outcome.UNCHECKED] == [3]


def test_a_missing_boot_record_leaves_everything_unchecked(tmp_path):
    result = replayed(tmp_path, ARRIVALS[1:])
    assert result.count(Outcome.UNCHECKED) == 4
    assert "boot 1" in result.checks[0].what


def test_tensors_that_are_not_the_journals_are_a_divergence(tmp_path):
    victim = next(a for a in ARRIVALS if kind_of(a) is ProductKind.OUTPUTS)
    part = decode_part(victim.payload)
    with open_archive(tmp_path / "sound", make=True) as archive:
        archive.keep(ARRIVALS)
        tensor = Library(archive).read(part.header.id).array.samples.copy()
    tensor.reshape(-1)[7] ^= 1
    (changed,) = encode(part.header.codec, tensor)
    forged = replace(part, data=changed.data, geometry=changed.geometry)
    arrivals = swap(ARRIVALS, victim, replace(victim, payload=forged.encode()))
    result = replayed(tmp_path, arrivals)
    assert result.first_divergence.step == 0
    assert result.first_divergence.what.startswith("output tensor 0")


def test_another_policy_than_the_boards_shows(tmp_path):
    boot = Boot.decode(decode_part(ARRIVALS[0].payload).data)
    every_frame = policy_integers(DecisionPolicy(keep_every_frames=1))
    policies = {**dict(boot.policies), "decisions": every_frame}
    other = replace(boot, policies=tuple(policies.items()))
    result = replayed(tmp_path, [with_data(ARRIVALS[0], other.encode()), *ARRIVALS[1:]])
    assert result.first_divergence.what == "keep frame"


@pytest.mark.parametrize(
    "policy", [(), (2**62,) * 6, (1, 2, 3), (0, 0, 0, 31, 0, 0), (-(2**62),) * 6]
)
def test_a_policy_that_makes_no_sense_stops_nothing(tmp_path, policy):
    boot = Boot.decode(decode_part(ARRIVALS[0].payload).data)
    policies = {**dict(boot.policies), "terrain": policy}
    other = replace(boot, policies=tuple(policies.items()))
    result = replayed(tmp_path, [with_data(ARRIVALS[0], other.encode()), *ARRIVALS[1:]])
    assert result.count(Outcome.DIVERGES) == 2
    assert result.count(Outcome.AGREES) == 2


def test_an_odd_frame_shape_stops_nothing(tmp_path):
    lie = decisions()[0]
    entry = entry_in(lie)
    for shape in ((), (0, 0), (1 << 24,) * 4, (1, 1)):
        step = replace(entry.step, frame=replace(entry.step.frame, shape=shape))
        forged = enter(bytes(32), step, entry.decision)
        arrivals = swap(ARRIVALS, lie, with_data(lie, forged.encode()))
        result = replayed(tmp_path / str(len(str(shape))), arrivals)
        assert not result.identical
        assert result.count(Outcome.AGREES) >= 2


def test_whole_frames_are_checked_against_the_journal(tmp_path):
    with open_archive(tmp_path, make=True) as archive:
        archive.keep(ARRIVALS)
        checks = verify_frames(Library(archive))
    assert [(check.sensor, check.frame_number) for check in checks] == [
        ("camera", 0),
        ("spectrometer", 0),
    ]
    assert all(check.identical for check in checks)


def test_a_whole_frame_that_is_another_one_is_named(tmp_path):
    victim = next(a for a in ARRIVALS if kind_of(a) is ProductKind.FRAME)
    part = decode_part(victim.payload)
    with open_archive(tmp_path / "sound", make=True) as archive:
        archive.keep(ARRIVALS)
        samples = Library(archive).read(part.header.id).array.samples.copy()
    samples[0, 0] ^= 1
    (changed,) = encode(part.header.codec, samples)
    forged = replace(part, data=changed.data, geometry=changed.geometry)
    with open_archive(tmp_path, make=True) as archive:
        archive.keep(tuple(swap(ARRIVALS, victim, replace(victim, payload=forged.encode()))))
        checks = verify_frames(Library(archive))
    assert [check.identical for check in checks] == [False, True]
    assert "SHA-256" in checks[0].what


def test_tiles_that_went_ahead_as_evidence_complete_the_whole_frame(tmp_path):
    board = Board()
    arrivals = [*board.start(), *board.expose(camera(0, side=768))]
    kinds = [kind_of(arrival) for arrival in arrivals]
    assert kinds.index(ProductKind.REGION) < kinds.index(ProductKind.FRAME)
    with open_archive(tmp_path, make=True) as archive:
        archive.keep(
            [a for a, kind in zip(arrivals, kinds, strict=True) if kind is not ProductKind.REGION]
        )
        (check,) = verify_frames(Library(archive))
        assert "gaps" in check.what
        archive.keep(arrivals)
        assert all(check.identical for check in verify_frames(Library(archive)))


def test_a_frame_sent_with_an_error_for_want_of_room_claims_no_digest(tmp_path):
    frame = camera(0, side=768).frame
    board = Board(room_bytes=frame.samples.nbytes // 2)
    with open_archive(tmp_path, make=True) as archive:
        archive.keep([*board.start(), *board.expose(camera(0, side=768))])
        library = Library(archive)
        assert replay(library).identical
        assert verify_frames(library) == ()
        (row,) = library.rows(Filter(kinds=frozenset((ProductKind.FRAME,))))
        found = library.read(row.header.id).array
    assert found.complete
    assert np.abs(found.samples.astype(int) - frame.samples.astype(int)).max() == 2
