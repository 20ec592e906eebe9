from pathlib import Path

import pytest

from flight.board.memo import DoneCommands, count_boot
from flight.chosen import model_folders, packaged_model
from flight.config import read_mission
from flight.settings import SettingsError

BOARD = """
contact_plan = "plan.txt"
[node]
node_number = 10
[[node.links]]
peer_node = 20
[[ports]]
peer_node = 20
bind = "127.0.0.1:1113"
remote = "127.0.0.1:1114"
[store]
directory = "store"
[payload]
state = "board"
destination_node = 30
[[sensors]]
name = "navcam"
kind = "camera"
folder = "frames"
"""
PLAN = "a contact +0 +600 10 20 1000\na contact +0 +600 20 30 1000\n"


def read(folder: Path, text: str = BOARD, plan: str = PLAN):
    (folder / "plan.txt").write_text(plan)
    (folder / "board.toml").write_text(text)
    return read_mission(folder / "board.toml", reference_ms=1_000_000)


def test_a_board_is_read_with_its_plan_and_digest(tmp_path: Path):
    mission = read(tmp_path)
    assert mission.config.sensors[0].folder == tmp_path / "frames"
    assert mission.plan.contacts[0].start_ms == 1_000_000
    assert len(mission.digest) == 32
    assert read(tmp_path, BOARD + "# x\n").digest != mission.digest


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[payload]", "[payloads]", "payloads: unknown key; did you mean 'payload'"),
        ('kind = "camera"', 'kind = "camra"', "kind: must be one of camera, cube"),
        ("[[ports]]\npeer_node = 20", "[[ports]]\npeer_node = 21", "lead to nodes [21]"),
        ("destination_node = 30", "destination_node = 31", "no contact leads to node 31"),
        ("node_number = 10", "node_number = -1", "node: node_number must be 0 or more"),
        (
            "peer_node = 20",
            "peer_node = 20\nltp = {segment_bytes = 9}",
            "segment_bytes 9 is not within 64",
        ),
        ('"store"', '"store"\nquota_bytes = 0', "store: quota_bytes must be"),
        ('folder = "frames"', "", "give either folder or command"),
        ("[payload]", '[[models]]\ntask = "xray"\n[payload]', "models: no task is named 'xray'"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, old: str, new: str, said: str):
    with pytest.raises(SettingsError, match=r"board\.toml|plan\.txt") as caught:
        read(tmp_path, BOARD.replace(old, new, 1))
    assert said in str(caught.value)


def test_a_task_can_be_told_to_do_without_its_model(tmp_path: Path):
    text = BOARD.replace('kind = "camera"', 'kind = "xray"')
    assert model_folders(read(tmp_path, text).config) == {"xrf": packaged_model("xrf")}
    without = text + '[[models]]\ntask = "xrf"\nuse = false\n'
    assert model_folders(read(tmp_path, without).config) == {}


def test_a_bad_contact_plan_is_named_with_its_line(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"plan\.txt: .*line 1"):
        read(tmp_path, plan="a contact tomorrow\n")


def test_boots_are_counted_through_damage(tmp_path: Path):
    assert [count_boot(tmp_path, least=0), count_boot(tmp_path, least=0)] == [1, 2]
    (tmp_path / "boot").write_bytes(b"\x00garbage")
    assert count_boot(tmp_path, least=2) == 3


def test_a_command_number_is_remembered_through_a_restart(tmp_path: Path):
    done = DoneCommands(tmp_path)
    for number in range(DoneCommands.LIMIT + 3):
        done.add(number) if number > DoneCommands.LIMIT - 2 else done._numbers.append(number)
    again = DoneCommands(tmp_path)
    assert DoneCommands.LIMIT + 2 in again
    assert 0 not in again


LIDAR = """
[[sensors]]
name = "lidar"
kind = "range"
folder = "ranges"
beside = "navcam"
"""


def test_a_range_sensor_goes_with_one_camera(tmp_path: Path):
    sensors = read(tmp_path, BOARD + LIDAR).config.sensors
    assert [sensor.beside for sensor in sensors] == ["", "navcam"]
    second = LIDAR.replace('"lidar"', '"other"')
    for text, words in (
        (BOARD + LIDAR.replace("navcam", "radar"), "no camera"),
        (BOARD + LIDAR + second, "beside the same camera"),
        (BOARD + LIDAR.replace("beside", "# beside"), "needs beside"),
        (BOARD + 'beside = "navcam"\n', "needs beside"),
    ):
        with pytest.raises(SettingsError, match=words):
            read(tmp_path, text)


def test_a_camera_may_look_after_another_camera(tmp_path: Path):
    hover = LIDAR.replace("lidar", "hover").replace('"range"', '"camera"')
    hover = hover.replace("beside", "after")
    sensors = read(tmp_path, BOARD + hover).config.sensors
    assert [sensor.after for sensor in sensors] == ["", "navcam"]
    for text, words in (
        (BOARD + hover.replace("navcam", "radar"), "after 'radar' is no camera"),
        (BOARD + hover.replace("navcam", "hover"), "after names itself"),
        (BOARD + LIDAR + 'after = "navcam"\n', "after is for a camera"),
    ):
        with pytest.raises(SettingsError, match=words):
            read(tmp_path, text)


def test_what_a_board_gives_up_is_told_to_the_ground_unless_another_is_named(tmp_path: Path):
    assert read(tmp_path).config.node.tombstones_to == "ipn:30.64"
    other = BOARD.replace("node_number = 10", 'node_number = 10\ntombstones_to = "ipn:31.68"')
    assert read(tmp_path, other).config.node.tombstones_to == "ipn:31.68"


def test_a_relay_tells_of_its_links_when_it_is_told_whom(tmp_path: Path):
    telemetry = "[telemetry]\ndestination_node = 30\nlink_interval_s = 15\n"
    settings = read(tmp_path, BOARD + telemetry).config.telemetry
    assert settings is not None
    assert (settings.destination_node, settings.link_interval_s) == (30, 15)
    with pytest.raises(SettingsError, match="key_every"):
        read(tmp_path, BOARD + telemetry + "key_every = 0\n")
