import csv
import io
import json
import shutil
from dataclasses import replace

import pytest

from flight.product.part import ProductKind, decode_part
from flight.product.status import CommandKind, Reply
from ground.__main__ import main
from ground.archive import open_archive
from ground.requests import MOST_WAITING, RequestError, queue_request, read_requests
from tools.sim.downlink import Board, whole_run
from tools.sim.exposures import START_MS

ARRIVALS = whole_run()
ASKED = {
    "board": 1,
    "kind": CommandKind.SEND_FRAME,
    "sensor": "camera",
    "frame_number": 0,
    "now_ms": START_MS,
}
COMMANDS = (
    "receive", "ls", "show", "replay", "export", "report", "request", "ping", "trace", "contacts",
    "reindex",
)  # fmt: skip


@pytest.fixture(scope="module")
def full_archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full") / "archive"
    with open_archive(folder, make=True) as archive:
        archive.keep(ARRIVALS)
    return folder


@pytest.fixture
def archive(full_archive, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(full_archive, tmp_path / "archive")


def keep(folder, arrivals):
    with open_archive(folder) as archive:
        archive.keep(tuple(arrivals))


def without(kind):
    return [a for a in ARRIVALS if decode_part(a.payload).header.kind is not kind]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"example:\n  ground {command}" in capsys.readouterr().out


def test_an_unknown_command_is_bad_use(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["launch"])
    assert stop.value.code == 2
    assert "launch" in capsys.readouterr().err


def test_ls_lists_with_units_and_says_what_is_missing(archive, capsys):
    assert main(["ls"]) == 0
    out = capsys.readouterr().out
    assert "taken (UTC)" in out
    assert "hazard-map" in out
    assert "0 incomplete" in out


def test_ls_filters_and_speaks_json(archive, capsys):
    assert main(["ls", "--json", "--kind", "frame", "--priority", "3", "--sensor", "camera"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["kind"], row["sensor"], row["missing"]) == ("frame", "camera", [])
    assert main(["ls", "--json", "--since", "2030-01-01"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_ls_missing_finds_incomplete_products(archive, capsys):
    assert main(["ls", "--missing"]) == 0
    part = decode_part(ARRIVALS[1].payload)
    header = replace(part.header, id=replace(part.header.id, number=999), count=4)
    keep(archive, [replace(ARRIVALS[1], payload=replace(part, header=header).encode())])
    capsys.readouterr()
    assert main(["ls", "--missing"]) == 1
    out = capsys.readouterr().out
    assert "1/4" in out
    assert "1-3" in out


@pytest.mark.parametrize("words", [["--since", "yesterday"], ["--priority", "7"], ["--kind", "x"]])
def test_ls_refuses_what_cannot_be_meant(archive, words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["ls", *words])
    assert stop.value.code == 2
    assert words[1] in capsys.readouterr().err


def test_a_missing_archive_is_named_with_the_remedy(tmp_path, capsys):
    assert main(["ls", "--archive", str(tmp_path / "nowhere")]) == 2
    assert "nowhere: no archive here" in capsys.readouterr().err


def test_show_writes_words_and_a_picture(archive, tmp_path, capsys):
    assert main(["show", "1.1.3", "1.1.1", "--out", "pictures"]) == 0
    out = capsys.readouterr().out
    assert "hazard-map" in out
    assert "safe site at row" in out
    (picture,) = (tmp_path / "pictures").iterdir()
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert str(picture.name) in out


def test_show_goes_on_after_a_product_that_cannot_be_shown(archive, capsys):
    assert main(["show", "9.9.9", "1.1.1", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [item["product"] for item in told["shown"]] == ["1.1.1"]
    assert "has not arrived" in told["faults"][0]["fault"]


def test_show_wants_a_product(archive, capsys):
    assert main(["show"]) == 2
    assert "--all" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["show", "../../etc/passwd"])


def test_show_draws_every_kind_of_picture(archive, tmp_path, capsys):
    assert main(["show", "--all", "--out", "pictures"]) == 0
    kinds = {path.name.split("-", 1)[1] for path in (tmp_path / "pictures").iterdir()}
    for kind in ("frame-camera-0", "thumbnail-camera-1", "region-camera-0", "hazard-map-camera-1"):
        assert f"{kind}.png" in kinds
    for kind in ("class-map-spectrometer-0", "spectra-spectrometer-0", "xray-spectrum-xray-0"):
        assert f"{kind}.png" in kinds


def test_replay_says_that_all_agree(archive, capsys):
    assert main(["replay"]) == 0
    out = capsys.readouterr().out
    assert "all 4 decisions agree" in out
    assert "2 of 2 whole frames" in out


def test_replay_of_a_part_of_the_run_is_a_finding(tmp_path, capsys):
    with open_archive(tmp_path, make=True) as archive:
        archive.keep(tuple(without(ProductKind.OUTPUTS)))
    assert main(["replay", "--archive", str(tmp_path)]) == 1
    assert "4 unchecked" in capsys.readouterr().out
    assert main(["replay", "--archive", str(tmp_path), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["decisions"], told["agrees"], told["unchecked"]) == (4, 0, 4)
    assert told["identical"] is False
    assert told["first_divergence"] is None


def test_reindex_counts_and_names_damage(archive, capsys):
    assert main(["reindex", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["damages"] == []
    path = archive / "raw" / "00000001.raw"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert main(["reindex"]) == 1
    assert "damaged  00000001.raw" in capsys.readouterr().out


@pytest.mark.parametrize(("table", "rows"), [("events", 2), ("decisions", 4), ("health", 2)])
def test_export_writes_csv(archive, table, rows, capsys):
    assert main(["export", table]) == 0
    read = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(read) == rows
    assert all(None not in row for row in read)
    assert main(["export", table, "--out", "out.csv"]) == 0
    assert "out.csv" in capsys.readouterr().out


def test_export_writes_no_formula_that_came_from_the_link(tmp_path, capsys):
    reply = Reply(1, done=True, words="=cmd()").encode()
    with open_archive(tmp_path, make=True) as archive:
        arrivals = []
        for arrival in ARRIVALS:
            part = decode_part(arrival.payload)
            if part.header.kind is ProductKind.DECISION:
                part = replace(part, header=replace(part.header, sensor="=SUM(A1)"))
            arrivals.append(replace(arrival, payload=part.encode()))
        archive.keep((*arrivals, *Board(boot=9).record(ProductKind.REPLY, reply)))
    assert main(["export", "decisions", "--archive", str(tmp_path)]) == 0
    cells = [cell for row in csv.reader(io.StringIO(capsys.readouterr().out)) for cell in row]
    assert not any(cell.startswith(("=", "+", "@")) for cell in cells)


def test_a_request_waits_in_the_archive_and_its_reply_is_found(archive, capsys):
    words = ["request", "--board", "1", "--sensor", "camera", "--frame", "2"]
    assert main([*words, "--json"]) == 0
    number = json.loads(capsys.readouterr().out)["number"]
    assert main(["request", "--list"]) == 0
    assert "waits for the station" in capsys.readouterr().out
    reply = Reply(number, done=False, words="camera frame 2 is not kept aboard")
    keep(archive, Board(boot=3).record(ProductKind.REPLY, reply.encode()))
    assert main(["request", "--list"]) == 0
    assert "refused: camera frame 2 is not kept aboard" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [[], ["--board", "1"], ["--board", "0", "--health"], ["--board", "1", "--frame", "-1"]]
)
def test_a_request_that_is_not_whole_is_bad_use(archive, words, capsys):
    assert main(["request", *words]) == 2
    assert capsys.readouterr().err.startswith("ground request: ")
    assert read_requests(archive) == ()


def test_request_numbers_are_never_given_twice(tmp_path):
    def ask():
        return queue_request(
            tmp_path,
            board=1,
            kind=CommandKind.SEND_FRAME,
            sensor="camera",
            frame_number=0,
            now_ms=START_MS,
        )

    numbers = [ask().command.number for _ in range(5)]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == START_MS // 1000


def test_too_many_waiting_requests_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("ground.requests.MOST_WAITING", 2)
    for _ in range(2):
        queue_request(
            tmp_path,
            board=1,
            kind=CommandKind.SEND_FRAME,
            sensor="c",
            frame_number=0,
            now_ms=START_MS,
        )
    with pytest.raises(RequestError, match="is the station running"):
        queue_request(
            tmp_path,
            board=1,
            kind=CommandKind.SEND_FRAME,
            sensor="c",
            frame_number=0,
            now_ms=START_MS,
        )
    assert MOST_WAITING > 2


def test_files_that_are_no_requests_are_passed_over(tmp_path):
    folder = tmp_path / "requests"
    folder.mkdir()
    for name, text in (("1.json", "{"), ("2.json", "[]"), ("3.json", '{"number": "x"}')):
        (folder / name).write_text(text)
    assert read_requests(tmp_path) == ()


def test_receive_names_file_and_key_of_a_wrong_configuration(tmp_path, capsys):
    path = tmp_path / "station.toml"
    assert main(["receive", str(path)]) == 2
    assert "station.toml" in capsys.readouterr().err
    path.write_text('archve = "a"\ncontact_plan = "plan"\n[node]\nnode_number = 3\n')
    assert main(["receive", str(path)]) == 2
    assert "did you mean 'archive'?" in capsys.readouterr().err
