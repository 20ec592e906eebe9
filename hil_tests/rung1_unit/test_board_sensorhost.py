"""The sensors' host, with real processes: killed, poisoned, lied for."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from select import select
from subprocess import run
from sys import executable

import numpy as np

from flight.board import sensorhost as module
from flight.board.child import Child
from flight.board.clock import BoardClock
from flight.board.messages import Channel, connect
from flight.board.sealedvalues import SealedFrame
from flight.board.sensorhost import SealedDelivery, SensorHost
from flight.board.sensors.settings import SensorSettings
from flight.instant import Instant
from flight.product.events import Happening
from flight.product.journal import stamp
from flight.product.values import SensorKind
from hil_tests.waiting import PATIENCE_S, wait_until

LIMIT = 2 << 30
PAUSE_NS = module.FIRST_PAUSE_S * 1_000_000_000


def camera(folder: Path, name: str = "nav", **fields: object) -> SensorSettings:
    return SensorSettings(name, SensorKind.CAMERA, folder=folder, interval_s=0.0, **fields)


def write(folder: Path, *values: int) -> Path:
    folder.mkdir(exist_ok=True)
    for value in values:
        np.save(folder / f"{value}.npy", np.full((4, 6), value, np.uint8))
    return folder


@contextmanager
def hosted(*sensors: SensorSettings, first: int = 0) -> Iterator[SensorHost]:
    host = SensorHost(
        [(settings, first) for settings in sensors], BoardClock().now(), memory_limit_bytes=LIMIT
    )
    with closing(host):
        yield host


class Watched:
    """The host's feeds as something to wait on."""

    def __init__(self, host: SensorHost) -> None:
        self.host = host

    def filenos(self) -> tuple[int, ...]:
        return tuple(f for feed in self.host.feeds if (f := feed.fileno()) is not None)

    def next_deadline_ns(self) -> int | None:
        due = [feed.next_deadline_ns() for feed in self.host.feeds]
        return min((d for d in due if d is not None), default=None)


def deliveries(host: SensorHost, count: int, *, haste: int = 1) -> list[SealedDelivery]:
    """Return the next so many deliveries of all feeds; ``haste`` shortens pauses."""
    found: list[SealedDelivery] = []

    def turn(now: Instant) -> bool:
        for feed in host.feeds:
            if len(found) < count:
                found.extend(feed.poll(now))
        return len(found) >= count

    wait_until(Watched(host), turn, haste=haste)
    return found


def numbers(found: list[SealedDelivery]) -> list[int]:
    return [one.frame.number for one in found if isinstance(one, SealedFrame)]


def words(found: list[SealedDelivery]) -> list[str]:
    return [one.words() for one in found if isinstance(one, Happening)]


def test_frames_come_sealed_and_stamped_in_order_and_then_the_end(tmp_path: Path) -> None:
    with hosted(camera(write(tmp_path, 0, 1, 2))) as host:
        found = deliveries(host, 4)
        assert host.feeds[0].finished
    assert numbers(found) == [0, 1, 2]
    assert words(found) == ["nav: no more frames after 3"]
    for value, one in enumerate(found[:3]):
        assert isinstance(one, SealedFrame)
        assert one.frame.samples.tolist() == [[value] * 6] * 4
        assert one.stamp == stamp(one.frame.samples)
        assert not one.frame.samples.flags.writeable


def test_several_sensors_share_one_process(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a", 1, 2), write(tmp_path / "b", 3, 4)
    with hosted(camera(one, "a"), camera(two, "b")) as host:
        found = deliveries(host, 6)
    frames = [one.frame for one in found if isinstance(one, SealedFrame)]
    for name, values in (("a", [1, 2]), ("b", [3, 4])):
        assert [int(f.samples[0, 0]) for f in frames if f.sensor == name] == values


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path, 0, 1, 2)
    with hosted(camera(tmp_path)) as host:
        deliveries(host, 1)
        (tmp_path / "2.npy").unlink()  # the second may have been asked for, the third was not
        found = deliveries(host, 3)
    assert numbers(found) == [1]
    assert "2.npy: No such file" in words(found)[0]


def test_what_was_taken_after_a_turn_began_belongs_to_the_next(tmp_path: Path) -> None:
    with hosted(camera(write(tmp_path, 0))) as host:
        (feed,), early = host.feeds, BoardClock().now()
        feed.poll(early)
        select([host.fileno()], [], [], PATIENCE_S)
        while not feed.inbox:
            assert feed.poll(early) == ()
        assert feed.next_deadline_ns() == 0
        assert numbers(list(feed.poll(BoardClock().now()))) == [0]


def test_a_killed_host_is_started_again_at_the_right_frame(tmp_path: Path) -> None:
    with hosted(camera(write(tmp_path, *range(5)))) as host:
        before = deliveries(host, 2)
        pid = host.pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        after = deliveries(host, 5, haste=50)
        assert host.pid() not in (None, pid)
    assert numbers(before) + numbers(after) == [0, 1, 2, 3, 4]
    assert words(after) == [
        "nav: the reader killed by signal 9; starting it again in 1 s",
        "nav: no more frames after 5",
    ]


def test_a_host_that_keeps_dying_is_started_ever_less_often(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with hosted(camera(tmp_path / "empty", watch=True)) as host:
        (feed,), now, pauses = host.feeds, BoardClock().now(), []
        for _ in range(9):
            pid = host.pid()
            assert pid is not None
            os.kill(pid, signal.SIGKILL)

            def died(_: Instant, now: Instant = now) -> bool:
                return any("again in" in said for said in words(list(feed.poll(now))))

            wait_until(Watched(host), died)
            later = feed.next_deadline_ns()
            assert later is not None
            pauses.append((later - now.mono_ns) // 1_000_000_000)
            now = Instant(later, 0)
            feed.poll(now)
    assert pauses == [1, 2, 4, 8, 16, 32, *[module.LONGEST_PAUSE_S] * 3]


def test_a_file_that_kills_its_reader_is_left_out_and_the_others_are_read(tmp_path: Path) -> None:
    poisoned = write(tmp_path / "a", 0, 1, 2)
    good = write(tmp_path / "b", 7)
    code = (
        "import os, sys\n"
        "from flight.board.sensors import directory, host\n"
        "read = directory.read_file\n"
        "def poison(path, settings):\n"
        "    if path.name == '1.npy': os.abort()\n"
        "    return read(path, settings)\n"
        "directory.read_file = poison\n"
        "host.main(int(sys.argv[1]))\n"
    )
    with started_as(code), hosted(camera(poisoned, "a"), camera(good, "b")) as host:
        found = deliveries(host, 9, haste=50)
    frames = [one.frame for one in found if isinstance(one, SealedFrame)]
    assert [f.number for f in frames if f.sensor == "a"] == [0, 2]
    assert [f.number for f in frames if f.sensor == "b"] == [0]
    said = words(found)
    assert sum("a: the reader killed by signal 6" in one for one in said) == module.MOST_ATTEMPTS
    assert "a: frame 1 ended its reader 3 times and is left out" in said


@contextmanager
def started_as(code: str) -> Iterator[None]:
    """Have hosts run ``code`` in place of their module."""
    start_child = module.start_child

    def start(name: str, most_bytes: int) -> tuple[Channel, Child]:
        channel, theirs = connect(most_bytes)
        with theirs:
            command = (executable, "-c", code, str(theirs.fileno()))
            return channel, Child(command, pass_fds=(theirs.fileno(),))

    module.start_child = start
    try:
        yield
    finally:
        module.start_child = start_child


def wait_gone(pid: int) -> None:
    """Wait until a process has ended."""
    try:
        watch = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select([watch], [], [], PATIENCE_S)[0], f"process {pid} lives on"
    finally:
        os.close(watch)


def tell_tale(folder: Path) -> SensorSettings:
    """Return a program that writes its process's number as its first frame, then waits."""
    code = (
        "import os, sys\nimport numpy as np\n"
        "pid = os.getpid()\n"
        "np.save(sys.stdout.buffer, np.array([[pid & 0xFFFF, pid >> 16]], np.uint16))\n"
        "sys.stdout.flush()\n"
        "sys.stdin.read()\n"
    )
    return SensorSettings("nav", SensorKind.CAMERA, command=(executable, "-c", code))


def told_pid(found: list[SealedDelivery]) -> int:
    (one,) = found
    assert isinstance(one, SealedFrame)
    low, high = one.frame.samples[0].tolist()
    return low | high << 16


def test_a_sensors_program_dies_with_its_host_and_with_the_board(tmp_path: Path) -> None:
    with hosted(tell_tale(tmp_path)) as host:
        program, pid = told_pid(deliveries(host, 1)), host.pid()
        assert pid is not None
        os.kill(program, 0)
        os.kill(pid, signal.SIGKILL)
        wait_gone(program)
    with hosted(tell_tale(tmp_path)) as host:
        program = told_pid(deliveries(host, 1))
    wait_gone(program)


def test_host_and_program_die_with_a_control_process_that_was_killed(tmp_path: Path) -> None:
    code = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from hil_tests.rung1_unit.test_board_sensorhost import (\n"
        "    deliveries, hosted, tell_tale, told_pid)\n"
        f"with hosted(tell_tale(Path({str(tmp_path)!r}))) as host:\n"
        "    print(host.pid(), told_pid(deliveries(host, 1)), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    control = run([executable, "-c", code], capture_output=True, check=False)
    assert control.returncode == -signal.SIGKILL, control.stderr
    for pid in control.stdout.split():
        wait_gone(int(pid))


def test_a_sensors_program_keeps_its_own_limits_and_the_host_has_the_workers(
    tmp_path: Path,
) -> None:
    code = (
        "import resource, sys\nimport numpy as np\n"
        "soft, hard = resource.getrlimit(resource.RLIMIT_AS)\n"
        "np.save(sys.stdout.buffer, np.array([[soft == hard]], np.uint8))\n"
    )
    settings = SensorSettings("nav", SensorKind.CAMERA, command=(executable, "-c", code))
    with hosted(settings) as host:
        (one,) = deliveries(host, 1)
        limits = Path(f"/proc/{host.pid()}/limits").read_text().splitlines()
    assert isinstance(one, SealedFrame)
    assert one.frame.samples.tolist() == [[1]]
    (space,) = (line for line in limits if line.startswith("Max address space"))
    assert space.split()[3] == str(LIMIT)


def test_no_sensors_need_no_host() -> None:
    with hosted() as host:
        assert (host.pid(), host.feeds) == (None, ())


def test_a_file_whose_name_is_no_text_is_a_frame_all_the_same(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 2), np.uint8))
    (tmp_path / "a.npy").rename(tmp_path / os.fsdecode(b"\xff.npy"))
    with hosted(camera(tmp_path)) as host:
        (one,) = deliveries(host, 1)
    assert isinstance(one, SealedFrame)
    assert one.frame.name == "?.npy"
