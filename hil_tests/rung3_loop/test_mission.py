"""The real processes, end to end: killed, restarted, disconnected, fed with bad input."""

import base64
import json
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from flight.autonomy.oxides import METALS
from flight.ports.localsocket import call
from flight.product.part import ProductKind
from flight.product.status import Command, CommandKind
from flight.product.values import Kind, Verdict
from ground.archive import open_archive
from hil_tests.lander import CAMERA_FRAMES, all_home, look_home, mission, steps_made
from tools.sim.__main__ import frame as simulated_frame
from tools.trio import Source, Trio

STEPS = CAMERA_FRAMES + 2
LONG_S = 120


@pytest.mark.parametrize("binding", ["udp", "pty"])
def test_everything_comes_home_once_and_every_decision_repeats(tmp_path: Path, binding: str):
    with mission(tmp_path, binding=binding) as trio:
        trio.start("lander")
        trio.wait_until(lambda: all_home(trio, STEPS), timeout_s=LONG_S)
        assert trio.stop() == {"lander": 0, "relay": 0, "ground": 0}
        home = look_home(trio)
    assert len(home.decisions) == STEPS
    assert (home.replay_agrees, home.replay_others) == (STEPS, 0)
    assert (home.incomplete, home.repeated) == (0, 0)
    assert home.kinds[ProductKind.BOOT] == 1
    assert home.kinds[ProductKind.HAZARD_MAP] == CAMERA_FRAMES
    assert home.kinds[ProductKind.CLASS_MAP] == 1
    assert home.kinds[ProductKind.XRAY_SPECTRUM] == 1
    assert home.kinds[ProductKind.FRAME] >= 2
    soil = home.decisions["xrf", 0].decision.findings
    assert sum(finding.kind is Kind.OXIDE for finding in soil) == len(METALS)


def decisions_of(trio: Trio) -> dict[tuple[str, int], object]:
    return {key: entry.decision for key, entry in look_home(trio).decisions.items()}


def test_killed_in_mid_run_lander_and_relay_lose_nothing_and_decide_the_same(tmp_path: Path):
    with mission(tmp_path / "calm") as trio:
        trio.start("lander")
        trio.wait_until(lambda: all_home(trio, STEPS), timeout_s=LONG_S)
        calm = decisions_of(trio)
    with mission(tmp_path / "killed") as trio:
        trio.start("lander")
        for made in (2, 4):
            trio.wait_until(lambda made=made: steps_made(trio) >= made, timeout_s=LONG_S)
            trio.kill("lander")
            trio.kill("relay")
            trio.start("relay")
            trio.start("lander")
        trio.wait_until(lambda: relay_has_taken(trio), timeout_s=LONG_S)
        trio.kill("relay")
        trio.start("relay")
        trio.wait_until(lambda: all_home(trio, STEPS), timeout_s=LONG_S)
        home = look_home(trio)
    assert {key: entry.decision for key, entry in home.decisions.items()} == calm
    assert (home.replay_agrees, home.replay_others) == (STEPS, 0)
    assert (home.incomplete, home.repeated) == (0, 0)
    assert home.kinds[ProductKind.DECISION] == STEPS
    assert home.kinds[ProductKind.BOOT] == 3


def relay_has_taken(trio: Trio) -> bool:
    return int(trio.status("relay").get("node", {}).get("received", 0)) > 0


def test_bad_frames_are_events_and_the_good_ones_go_on(tmp_path: Path):
    folder = tmp_path / "frames" / "navcam"
    folder.mkdir(parents=True)
    good = simulated_frame("camera", 5, 0)
    np.save(folder / "0.npy", good)
    (folder / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    np.save(folder / "2.npy", good[:50])
    np.save(folder / "3.npy", np.zeros_like(good))
    np.save(folder / "4.npy", good)
    cubes = tmp_path / "frames" / "m3"
    cubes.mkdir()
    (cubes / "0.hdr").write_text("ENVI\nsamples = 4\nlines = 4\nbands = 9\ndata type = 12\n")
    (cubes / "0.img").write_bytes(b"too short")
    np.save(cubes / "1.npy", np.full((83, 4, 4), np.nan, np.float32))
    rows, columns = good.shape
    sources = [
        Source(
            "navcam",
            "camera",
            ('folder = "frames/navcam"', "interval_s = 0.1", f"shape = [{rows}, {columns}]"),
        ),
        Source("m3", "cube", ('folder = "frames/m3"', "interval_s = 0.1")),
    ]
    with mission(tmp_path, sources=sources) as trio:
        trio.start("lander")
        trio.wait_until(lambda: all_home(trio, 4), timeout_s=LONG_S)
        log = (tmp_path / "lander.log").read_text()
        home = look_home(trio)
    assert "Traceback" not in log
    verdicts = {key: entry.decision.verdict for key, entry in home.decisions.items()}
    assert verdicts[("navcam", 3)] is Verdict.NO_ANSWER
    assert verdicts[("m3", 1)] is Verdict.NO_ANSWER
    assert verdicts[("navcam", 0)] == verdicts[("navcam", 4)] != Verdict.NO_ANSWER
    said = "\n".join(home.events)
    for words in ("1.png", "2.npy", "0.hdr", "bad samples", "no answer (bad_frame)"):
        assert words in said
    assert home.replay_others == 0


def test_a_model_with_one_flipped_bit_is_refused_and_its_frames_get_no_answer(tmp_path: Path):
    packaged = Path(__file__).parents[2] / "models" / "terrain"
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "card.toml").write_bytes((packaged / "card.toml").read_bytes())
    model = bytearray((packaged / "model.tflite").read_bytes())
    model[300] ^= 1
    (folder / "model.tflite").write_bytes(model)
    (tmp_path / "frames" / "navcam").mkdir(parents=True)
    np.save(tmp_path / "frames" / "navcam" / "0.npy", simulated_frame("camera", 5, 0))
    sources = [Source("navcam", "camera", ('folder = "frames/navcam"',))]
    with mission(tmp_path, sources=sources) as trio:
        path = tmp_path / "lander.toml"
        path.write_text(path.read_text() + '[[models]]\ntask = "terrain"\nfolder = "model"\n')
        trio.start("lander")
        trio.wait_until(lambda: all_home(trio, 1), timeout_s=LONG_S)
        home = look_home(trio)
    assert home.decisions[("navcam", 0)].decision.verdict is Verdict.NO_ANSWER
    assert any("terrain refused" in words and "SHA-256" in words for words in home.events)


def test_the_ground_asks_for_a_frame_and_gets_it_whole(tmp_path: Path):
    with mission(tmp_path) as trio:
        trio.start("lander")
        trio.wait_until(lambda: steps_made(trio) >= STEPS, timeout_s=LONG_S)
        request = ["request", "--archive", str(trio.archive), "--board", "10"]
        request += ["--sensor", "navcam", "--frame", "2"]
        assert command("ground", *request).returncode == 0
        trio.wait_until(lambda: frame_is_home(trio, 2), timeout_s=LONG_S)
        home = look_home(trio)
    assert home.kinds[ProductKind.REPLY] == 1


def test_a_command_without_the_stations_signature_is_refused(tmp_path: Path):
    with mission(tmp_path) as trio:
        trio.kill("ground")
        key = tmp_path / "command.key"
        key.write_text(bytes(range(32)).hex() + "\n")
        key.chmod(0o600)
        rule = (
            '[[security]]\ndestination = "ipn:10.*"\nintegrity = "require"\n'
            'integrity_key_file = "command.key"\n'
        )
        for name in ("lander", "ground"):
            path = tmp_path / f"{name}.toml"
            path.write_text(path.read_text() + rule)
        trio.start("ground")
        trio.start("lander")
        socket_of_relay = tmp_path / "relay" / "store" / "socket"
        trio.wait_until(socket_of_relay.exists, timeout_s=LONG_S)
        forged = Command(7, CommandKind.SEND_FRAME, "navcam", 1).encode()
        payload = base64.b64encode(forged).decode()
        call(socket_of_relay, {"do": "send", "to": "ipn:10.64", "payload": payload})
        trio.wait_until(lambda: steps_made(trio) >= STEPS, timeout_s=LONG_S)
        request = ["request", "--archive", str(trio.archive), "--board", "10"]
        assert command("ground", *request, "--sensor", "navcam", "--frame", "2").returncode == 0
        trio.wait_until(lambda: frame_is_home(trio, 2), timeout_s=LONG_S)
        trio.wait_until(lambda: look_home(trio).kinds[ProductKind.REPLY] > 0, timeout_s=LONG_S)
        home = look_home(trio)
        assert not frame_is_home(trio, 1)
    assert home.kinds[ProductKind.REPLY] == 1
    assert any("bundle refused" in words for words in home.events)


def frame_is_home(trio: Trio, number: int) -> bool:
    with open_archive(trio.archive) as archive:
        return any(
            row.complete
            and row.header.kind is ProductKind.FRAME
            and row.header.frame_number == number
            for row in archive.products()
        )


def test_a_users_process_sends_and_another_receives_and_an_operator_looks_in(tmp_path: Path):
    with mission(tmp_path) as trio:
        trio.start("lander")
        sockets = {name: tmp_path / name / "store" / "socket" for name in ("lander", "relay")}
        trio.wait_until(lambda: all(s.exists() for s in sockets.values()), timeout_s=LONG_S)
        payload = base64.b64encode(b"from my own process").decode()
        sent = call(sockets["lander"], {"do": "send", "to": "ipn:20.70", "payload": payload})
        assert str(sent["stored"]).startswith("ipn:10.1/")
        listing = command("flight", "bundle", "ls", str(tmp_path / "lander.toml"), "--json")
        assert {row["state"] for row in json.loads(listing.stdout)} <= {"queued", "sending"}
        with ExitStack() as stack:
            receiver = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            receiver.settimeout(LONG_S)
            receiver.connect(str(sockets["relay"]))
            receiver.sendall(b'{"do": "receive", "service": 70}\n')
            lines = stack.enter_context(receiver.makefile("rb"))
            bundle = json.loads(lines.readline())["bundle"]
            assert base64.b64decode(bundle["payload"]) == b"from my own process"
            assert bundle["id"] == sent["stored"]
            receiver.sendall(b'{"do": "release", "number": %d}\n' % bundle["number"])
            receiver.sendall(b'nonsense\n{"do": "release", "number": 99}\n')
            assert "error" in json.loads(lines.readline())
            assert "not yours" in json.loads(lines.readline())["error"]
        status = command("flight", "link", "status", str(tmp_path / "relay.toml"))
        assert status.returncode == 0
        assert "link to node 10: " in status.stdout  # open or, between two windows, closed
    gone = command("flight", "link", "status", str(tmp_path / "relay.toml"))
    assert (gone.returncode, "is the node running?" in gone.stderr) == (2, True)


def command(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, timeout=60, check=False
    )


def write_config(folder: Path, extra: str = "", bind: str = "127.0.0.1:0") -> Path:
    (folder / "plan.txt").write_text("a contact +0 +60 20 10 1000\n")
    path = folder / "relay.toml"
    path.write_text(
        'contact_plan = "plan.txt"\n'
        f"{extra}"
        "[node]\nnode_number = 20\n[[node.links]]\npeer_node = 10\n"
        f'[[ports]]\npeer_node = 10\nbind = "{bind}"\nremote = "127.0.0.1:9"\n'
        '[store]\ndirectory = "store"\n'
    )
    return path


def test_an_unknown_key_is_named_with_the_nearest_valid_one(tmp_path: Path):
    done = command("flight", "run", str(write_config(tmp_path, "contact_plam = 1\n")))
    assert done.returncode == 2
    assert "contact_plam: unknown key; did you mean 'contact_plan'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_a_clear_error(tmp_path: Path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = command("flight", "run", str(write_config(tmp_path, bind=address)))
    assert done.returncode == 2
    assert address in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_configuration_is_a_clear_error(tmp_path: Path):
    done = command("flight", "run", str(tmp_path / "none.toml"))
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "none.toml" in done.stderr


def test_the_demo_brings_everything_home(tmp_path: Path):
    summary = tmp_path / "summary.json"
    done = command_long(
        "tools.demo",
        "--frames",
        "simulated",
        "--out",
        str(tmp_path / "out"),
        "--json",
        str(summary),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(summary.read_text())
    assert (figures["lost"], figures["duplicated"], figures["priority_inversions"]) == (0, 0, 0)
    assert figures["replay_identical"]
    assert figures["lossless_identical"]
    assert figures["source"] == "simulated"
    assert figures["reduction"] > 1


def command_long(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, timeout=580, check=False
    )
