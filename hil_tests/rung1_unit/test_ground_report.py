import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest

from flight.instant import Instant
from flight.product.events import Event, EventReport, encode_events
from flight.product.part import ProductKind, decode_part
from ground.archive import open_archive
from ground.report.markup import Html, join, tag
from ground.report.page import write_report
from tools.sim.downlink import Board, whole_run

ARRIVALS = whole_run()
EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


class Reader(HTMLParser):
    """Collects tags and addresses, and checks that every element is closed."""

    def __init__(self):
        super().__init__()
        self.tags, self.links, self.open, self.text = [], [], [], []

    def handle_starttag(self, name, attributes):
        self.tags.append(name)
        self.links += [v for k, v in attributes if k in ("href", "src", "action", "xlink:href")]
        assert not [k for k, _ in attributes if k.startswith("on")]
        self.open.append(name)

    def handle_startendtag(self, name, attributes):
        self.handle_starttag(name, attributes)
        self.open.pop()

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        self.text.append(data)


def report(folder, arrivals):
    out = folder / "report.html"
    with open_archive(folder, make=True) as archive:
        archive.keep(tuple(arrivals))
        write_report(archive, out, title="Run", progress=lambda _done, _total: None)
    return out.read_text(encoding="utf-8")


def read(text):
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


def test_the_report_is_one_file_that_fetches_nothing_and_runs_nothing(tmp_path):
    text = report(tmp_path, ARRIVALS)
    page = read(text)
    assert "script" not in page.tags
    assert page.links
    assert all(link.startswith("data:image/") for link in page.links)
    assert "default-src 'none'" in unescape(text)
    assert "url(" not in text


def test_the_report_tells_the_run(tmp_path):
    words = " ".join(read(report(tmp_path, ARRIVALS)).text)
    for part in (
        "All 4 decisions were repeated on the ground and agree",
        "Order of arrival",
        "camera frame 1",
        "spectrometer frame 0",
        "safe site at row",
        "anomaly 1 at line",
        "boot 1, software 0.1.0",
        "2 of 2 whole frames",
    ):
        assert part in words


def test_a_partial_run_is_told_as_partial(tmp_path):
    arrivals = [a for a in ARRIVALS if decode_part(a.payload).header.kind is ProductKind.DECISION]
    words = " ".join(read(report(tmp_path, arrivals)).text)
    assert "cannot be repeated yet" in words
    assert "no picture that can be read has arrived" in words


def test_an_empty_archive_has_a_report_too(tmp_path):
    assert "No decision has arrived" in " ".join(read(report(tmp_path, ())).text)


def test_words_from_the_link_stay_words(tmp_path):
    now = Instant(1, 848_620_800_000)
    event = EventReport(Event.FRAME_REFUSED(sensor=EVIL[:60], what=EVIL), now)
    hostile = [*Board(boot=2).record(ProductKind.EVENTS, encode_events([event]))]
    for arrival in ARRIVALS:
        part = decode_part(arrival.payload)
        if part.header.kind is not ProductKind.BOOT:
            part = replace(part, header=replace(part.header, sensor=EVIL[:64]))
        hostile.append(replace(arrival, payload=part.encode()))
    hostile.append(replace(ARRIVALS[0], source=f"ipn:{EVIL}", payload=b"junk"))
    page = read(report(tmp_path, hostile))
    assert not {"script", "img"} & set(page.tags)
    assert "<script>alert(1)</script>" in "".join(page.text)


def test_a_failed_report_leaves_the_old_one(tmp_path, monkeypatch):
    before = report(tmp_path, ARRIVALS[:1])
    monkeypatch.setattr("ground.report.page.decisions_table", lambda _run: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        report(tmp_path, ARRIVALS)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == before


def test_markup_escapes_every_text_and_attribute():
    made = tag("p", EVIL, title=EVIL)
    assert re.sub(r"^<p title=\"[^\"<>]*\">[^<>]*</p>$", "", made) == ""
    assert join(["<b>", tag("b", 1)]) == "&lt;b&gt;<b>1</b>"
    assert isinstance(join([]), Html)


def test_control_characters_do_not_reach_the_page():
    assert tag("p", "a\x1b[31m\u202eb") == "<p>a\ufffd[31m\ufffdb</p>"
