"""The codec bench on a user's own files, of the right kind and of wrong ones."""

import json
from pathlib import Path

import numpy as np
import pytest

from tools.bench.__main__ import main
from tools.bench.arrays import ArrayFileError, read_array

RAMP = np.arange(6 * 7).reshape(6, 7)


def saved(folder: Path, array: object) -> Path:
    path = folder / "array.npy"
    np.save(path, np.asarray(array))
    return path


@pytest.mark.parametrize(
    ("kind", "array", "dtype"),
    [
        ("cube", np.full((2, 3, 4), -3, np.int64), "i1"),
        ("cube", np.full((2, 3, 4), 300, np.int32), "u2"),
        ("cube", np.full((2, 3, 4), 3, np.uint16), "u2"),
        ("image", RAMP > 3, "u1"),
        ("image", RAMP * 1000, "u2"),
        ("map", RAMP, "u1"),
        ("xrf", RAMP[0], "u4"),
    ],
)
def test_integers_are_taken_as_they_are_or_narrowed_without_loss(
    tmp_path: Path, kind: str, array: np.ndarray, dtype: str
) -> None:
    read = read_array(saved(tmp_path, array), kind)
    assert read.dtype == np.dtype(dtype)
    assert np.array_equal(read, array)


@pytest.mark.parametrize(
    ("kind", "array", "words"),
    [
        ("cube", np.ones((2, 3, 4)), "dtype is float64"),
        ("cube", RAMP, "shape is (6 x 7)"),
        ("image", RAMP - 1, "values -1 to 40"),
        ("map", RAMP * 10, "takes 0 to 255"),
        ("map", RAMP[:0], "not empty"),
        ("housekeeping", ["text"], "shape is (1)"),
        ("xrf", -RAMP, "values -41 to 0"),
    ],
)
def test_an_array_of_another_kind_is_refused_with_its_file_and_a_remedy(
    tmp_path: Path, kind: str, array: object, words: str
) -> None:
    path = saved(tmp_path, array)
    with pytest.raises(ArrayFileError) as caught:
        read_array(path, kind)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)


def test_files_without_an_array_are_refused(tmp_path: Path) -> None:
    (tmp_path / "words.npy").write_bytes(b"no array")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04")
    np.savez(tmp_path / "other.npz", frames=RAMP)
    for name in ("words.npy", "empty.npy", "cut.npz", "other.npz", "missing.npy"):
        with pytest.raises(ArrayFileError, match=name):
            read_array(tmp_path / name, "map")


def test_the_command_says_what_is_wrong_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path, RAMP)
    assert main(["codecs", "--cube", str(path)]) == 2
    assert main(["codecs", "--housekeeping", str(path), "--fields", "u2 u4"]) == 2
    assert main(["codecs", "--housekeeping", str(path), "--fields", "u2 four"]) == 2
    told = capsys.readouterr().err
    assert "takes (bands, lines, samples)" in told
    assert "--fields describes 6 bytes, a packet has 7" in told
    assert "'four' is no field" in told


def test_only_the_named_files_are_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path, RAMP)
    assert main(["codecs", "--json", "--no-anchors", "--map", str(path)]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert [one["shape"] for one in figures["maps"]] == [[6, 7]]
    assert figures["maps"][0]["verified"]
    assert not figures["cubes"]
