import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flight.autonomy.decide import DecisionPolicy, decide
from flight.board import recorder as module
from flight.board.archive import FrameArchive
from flight.board.recorder import Recorded, Recorder
from flight.board.sealedvalues import seal_frame
from flight.instant import Instant
from flight.product.journal import enter, stamp
from flight.product.values import Finding, Frame, Kind, SensorKind
from hil_tests.rung1_unit.test_product_records import make_step

POLICY = DecisionPolicy(keep_every_frames=3)


def record(recorder: Recorder, count: int) -> list[Recorded]:
    made = []
    for _ in range(count):
        past = recorder.past
        outputs = (np.full((1, 4), past.next_step % 100, np.int8),)
        step = make_step(
            number=past.next_step,
            frame_number=past.next_frames.get("navcam", 0),
            outputs=(stamp(outputs[0]),),
        )
        memory, decision = decide(
            past.memory,
            POLICY,
            sensor="navcam",
            frame_number=step.frame_number,
            findings=(Finding(Kind.SAFE_SITE, score=step.number),),
            frame_bytes=step.frame_bytes,
        )
        made.append(Recorded(enter(past.digest, step, decision), outputs))
        recorder.append(made[-1], memory)
    return made


def test_everything_comes_back_after_a_restart(tmp_path: Path):
    first = Recorder(tmp_path)
    made = record(first, 5)
    first.done(1)
    first.close()
    second = Recorder(tmp_path)
    past = second.past
    assert not past.problem
    assert (past.next_step, past.next_frames) == (5, {"navcam": 5})
    assert past.digest == made[-1].entry.digest
    assert past.memory == first.past.memory
    assert list(past.undone) == [0, 2, 3, 4]
    assert past.undone[3].entry == made[3].entry
    assert np.array_equal(past.undone[3].outputs[0], made[3].outputs[0])
    second.close()


def test_an_entry_is_durable_only_after_the_descriptor_says_so(tmp_path: Path):
    recorder = Recorder(tmp_path)
    made = record(recorder, 3)
    while not recorder.is_durable(made[-1]):
        os.read(recorder.fileno(), 1) if _readable(recorder) else None
        recorder.take_durable()
    assert all(recorder.is_durable(one) for one in made)
    recorder.close()
    assert Recorder(tmp_path).past.next_step == 3


def _readable(recorder: Recorder) -> bool:
    import select

    return bool(select.select([recorder.fileno()], [], [], 5)[0])


@pytest.mark.parametrize("cut", [1, 5, 9, 60, 200])
def test_a_torn_tail_is_cut_off_and_said(tmp_path: Path, cut: int):
    first = Recorder(tmp_path)
    record(first, 4)
    first.close()
    path = tmp_path / "journal"
    os.truncate(path, path.stat().st_size - cut)
    second = Recorder(tmp_path)
    assert second.past.next_step == 3
    assert second.past.problem
    record(second, 1)
    second.close()
    third = Recorder(tmp_path)
    assert third.past.next_step == 4
    assert not third.past.problem
    third.close()


def test_any_flipped_byte_ends_the_journal_there(tmp_path: Path):
    first = Recorder(tmp_path)
    record(first, 3)
    first.close()
    path = tmp_path / "journal"
    good = path.read_bytes()
    for at in range(0, len(good), 37):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x40]) + good[at + 1 :])
        past = Recorder(tmp_path).past
        assert past.next_step < 3
        assert past.problem


def test_a_large_journal_is_compacted_without_forgetting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first = Recorder(tmp_path)
    record(first, 20)
    for step in range(19):
        first.done(step)
    first.close()
    size = (tmp_path / "journal").stat().st_size
    monkeypatch.setattr(module, "COMPACT_BYTES", 1000)
    for _ in range(2):
        again = Recorder(tmp_path)
        again.close()
        assert (again.past.next_step, again.past.digest) == (20, first.past.digest)
        assert again.past.memory == first.past.memory
        assert list(again.past.undone) == [19]
    assert (tmp_path / "journal").stat().st_size < size / 5


def frame(number: int) -> Frame:
    samples = np.full((10, 10), number, np.uint16)
    return Frame("navcam", SensorKind.CAMERA, number, Instant(1, 2), samples, (50,), name="a.png")


def at_once(work: Callable[[], None]) -> None:
    work()


def kept_in(folder: Path, quota_bytes: int = 9000) -> FrameArchive:
    return FrameArchive(folder, quota_bytes=quota_bytes, later=at_once)


def test_kept_frames_come_back_and_the_oldest_give_way(tmp_path: Path):
    archive, said = kept_in(tmp_path, 900), []
    for number in range(5):
        archive.put(seal_frame(frame(number)))
        said.append([happening.words() for happening in archive.take_events()])
    assert said == [[], [], [], *[["1 kept frames evicted, oldest first"]] * 2]
    assert archive.get("navcam", 1) is None
    kept = kept_in(tmp_path, 900).get("navcam", 4)
    assert kept is not None
    assert np.array_equal(kept.frame.samples, frame(4).samples)
    assert (kept.frame.axis, kept.frame.name) == ((50,), "a.png")
    assert (kept.frame.samples.dtype, kept.stamp) == (np.uint16, stamp(frame(4).samples))


def test_a_damaged_kept_frame_is_no_frame(tmp_path: Path):
    kept_in(tmp_path).put(seal_frame(frame(0)))
    (path,) = tmp_path.glob("*.frame")
    good = path.read_bytes()
    for at in range(0, len(good), 11):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        kept = kept_in(tmp_path).get("navcam", 0)
        assert kept is None or np.array_equal(kept.frame.samples, frame(0).samples)


def test_a_disk_that_refuses_a_frame_is_an_event(tmp_path: Path):
    archive = kept_in(tmp_path / "frames")
    (tmp_path / "frames").rmdir()
    archive.put(seal_frame(frame(0)))
    (happening,) = archive.take_events()
    assert happening.words() == "store: frame archive: No such file or directory"


def test_frames_that_are_asked_for_come_in_order_and_the_missing_are_none(tmp_path: Path):
    archive = kept_in(tmp_path)
    archive.put(seal_frame(frame(1)))
    archive.fetch("navcam", 0)
    archive.fetch("navcam", 1)
    missing, found = archive.take_fetched()
    assert missing is None
    assert found is not None
    assert found.frame.number == 1
    assert archive.take_fetched() == ()


def test_a_durable_step_had_its_frame_written_before(tmp_path: Path):
    recorder = Recorder(tmp_path)
    archive = FrameArchive(tmp_path / "frames", quota_bytes=9000, later=recorder.do)
    for number in range(20):
        archive.put(seal_frame(frame(number)))
        (made,) = record(recorder, 1)
        while not recorder.is_durable(made):
            _readable(recorder)
            recorder.take_durable()
        assert (tmp_path / "frames" / f"navcam-{number:08d}.frame").exists()
    recorder.close()
