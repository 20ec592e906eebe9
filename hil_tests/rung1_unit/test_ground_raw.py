import struct
import zlib

import pytest

from ground.raw import (
    HEADER_BYTES,
    MAGIC,
    Arrival,
    Damage,
    RawError,
    RawWriter,
    raw_files,
    read_record,
    scan,
)


def arrival(number: int, payload: bytes = b"payload") -> Arrival:
    return Arrival("ipn:1.64", "ipn:3.64", 1000 + number, number, 2000 + number, payload)


def kept(folder, count=5, payload=b"payload"):
    writer = RawWriter(folder)
    places = writer.append(tuple(arrival(n, payload) for n in range(count)))
    writer.close()
    return places


def records(path):
    return [item[1] for item in scan(path) if not isinstance(item, Damage)]


def damages(path):
    return [item for item in scan(path) if isinstance(item, Damage)]


def test_a_file_reads_with_the_documented_layout_and_nothing_else(tmp_path):
    kept(tmp_path, 1)
    data = raw_files(tmp_path)[0].read_bytes()
    assert data[:16] == MAGIC == b"farside raw 1\n\0\0"
    mark = data[16:24]
    assert data[16:40] == 3 * mark
    found, length, crc = struct.unpack_from(">8sII", data, 40)
    body = data[56 : 56 + length]
    assert found == mark
    assert crc == zlib.crc32(struct.pack(">I", length) + body)
    assert struct.unpack_from(">QQQHH", body) == (2000, 1000, 0, 8, 8)
    assert body[28:] == b"ipn:1.64ipn:3.64payload"
    assert len(data) == 56 + length


def test_records_come_back_in_order_and_by_place(tmp_path):
    places = kept(tmp_path)
    assert records(raw_files(tmp_path)[0]) == [arrival(n) for n in range(5)]
    assert [read_record(tmp_path, place) for place in places] == [arrival(n) for n in range(5)]


def test_each_opening_starts_a_new_file_and_old_ones_stay_as_they_are(tmp_path):
    kept(tmp_path)
    before = raw_files(tmp_path)[0].read_bytes()
    kept(tmp_path)
    assert [path.name for path in raw_files(tmp_path)] == ["00000001.raw", "00000002.raw"]
    assert raw_files(tmp_path)[0].read_bytes() == before


def test_a_full_file_is_followed_by_a_new_one(tmp_path, monkeypatch):
    monkeypatch.setattr("ground.raw.MAX_FILE_BYTES", 170)
    places = kept(tmp_path, 6)
    assert len(raw_files(tmp_path)) == 3
    assert [read_record(tmp_path, place) for place in places] == [arrival(n) for n in range(6)]


def test_a_flipped_bit_costs_its_record_and_no_other(tmp_path):
    places = kept(tmp_path)
    path = raw_files(tmp_path)[0]
    whole = path.read_bytes()
    for offset in range(places[2].offset, places[3].offset):
        data = bytearray(whole)
        data[offset] ^= 0x10
        path.write_bytes(data)
        assert records(path) == [arrival(n) for n in (0, 1, 3, 4)]
        assert damages(path) == [Damage(path.name, places[2].offset, places[2].length)]
        with pytest.raises(RawError):
            read_record(tmp_path, places[2])


def test_rot_in_the_header_is_reported_and_costs_no_record(tmp_path):
    kept(tmp_path)
    path = raw_files(tmp_path)[0]
    whole = path.read_bytes()
    for offset in range(HEADER_BYTES):
        data = bytearray(whole)
        data[offset] ^= 0x10
        path.write_bytes(data)
        assert len(records(path)) == 5
        assert damages(path) == [Damage(path.name, 0, HEADER_BYTES)]


def test_a_torn_tail_is_named_and_the_records_before_it_are_whole(tmp_path):
    places = kept(tmp_path)
    path = raw_files(tmp_path)[0]
    whole = path.read_bytes()
    for cut in range(places[4].offset + 1, len(whole)):
        path.write_bytes(whole[:cut])
        assert records(path) == [arrival(n) for n in range(4)]
        assert damages(path) == [Damage(path.name, places[4].offset, cut - places[4].offset)]


def test_a_payload_cannot_imitate_a_record(tmp_path):
    kept(tmp_path, 1)
    forged = raw_files(tmp_path)[0].read_bytes()
    kept(tmp_path, 3, payload=forged)
    path = raw_files(tmp_path)[1]
    data = bytearray(path.read_bytes())
    data[HEADER_BYTES] ^= 1
    path.write_bytes(data)
    assert [item.payload for item in records(path)] == [forged, forged]


def test_a_payload_beyond_the_limit_is_refused_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("ground.raw.MAX_BODY_BYTES", 100)
    with pytest.raises(RawError, match="MAX_BODY_BYTES"):
        kept(tmp_path, 2, payload=bytes(100))
    assert raw_files(tmp_path) == ()


def test_after_a_refused_write_the_next_record_begins_a_new_file(tmp_path, monkeypatch):
    writer = RawWriter(tmp_path)
    writer.append((arrival(0),))

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("ground.raw.os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            writer.append((arrival(1),))
    writer.append((arrival(2),))
    assert len(raw_files(tmp_path)) == 2
    assert records(raw_files(tmp_path)[1]) == [arrival(2)]
    writer.close()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RawError, match=r"00000009\.raw"):
        list(scan(tmp_path / "00000009.raw"))
