"""What nodes say of bundles, as the ground keeps and tells it."""

import json
from dataclasses import replace

import pytest

from flight.product.names import PRODUCT_SERVICE, bundle_sequence, named_part
from flight.product.part import ProductId
from flight.relay.bundle import BundleId
from flight.relay.bundle import Reason as BundleReason
from flight.relay.endpoint import ipn
from flight.relay.node.tombstone import Loss, Tombstone, encode_tombstone
from flight.relay.status import Status, StatusReport, encode_status_report
from flight.relay.store.values import Reason
from ground.__main__ import main
from ground.archive import open_archive, reindex
from ground.notices import loss_words
from ground.raw import Arrival
from ground.report.page import write_report
from tools.sim.downlink import whole_run

BOARD, RELAY, GROUND = 10, 20, 30
T0 = 816_000_000_000
LOST = ProductId(BOARD, 3, 77)
LOST_BUNDLE = BundleId(ipn(BOARD, PRODUCT_SERVICE), T0, bundle_sequence(LOST, 5))
OTHER_BUNDLE = BundleId(ipn(BOARD, 9), T0 + 1, 4)


def arrival(payload: bytes, *, source: str, service: int = 64, sequence: int = 1) -> Arrival:
    return Arrival(source, f"ipn:{GROUND}.{service}", T0 + 60_000, sequence, T0 + 70_000, payload)


def tombstone(reason: Reason, *bundles: BundleId) -> bytes:
    losses = tuple(Loss(bundle, priority=2, length=4_000) for bundle in bundles)
    return encode_tombstone(Tombstone(reason, losses))


GIVEN_UP = arrival(tombstone(Reason.EVICTED, LOST_BUNDLE, OTHER_BUNDLE), source=f"ipn:{RELAY}.1")
REPORTED = arrival(
    encode_status_report(
        StatusReport(OTHER_BUNDLE, ((Status.DELETED, T0 + 5_000),), BundleReason.DEPLETED_STORAGE)
    ),
    source=f"ipn:{RELAY}.0",
    service=0,
)


@pytest.fixture
def archive(tmp_path):
    with open_archive(tmp_path, make=True) as archive:
        archive.keep((*whole_run()[:3], GIVEN_UP, REPORTED))
        yield archive


def test_a_products_bundle_names_the_product_and_the_part() -> None:
    assert named_part(BOARD, LOST_BUNDLE.sequence) == (LOST, 5)


def test_a_tombstone_says_what_was_given_up_when_by_whom_and_why(archive) -> None:
    product, other = archive.catalogue.notices.losses()
    words = loss_words(product)
    assert "part 5 of product 10.3.77" in words
    assert "ipn:20.1" in words
    assert "the store was full" in words
    assert "2025-11-" in words
    assert f"bundle {OTHER_BUNDLE}" in loss_words(other)
    assert archive.catalogue.tally().notices == 2
    assert archive.catalogue.tally().refused == 0


def test_a_status_report_is_kept_under_its_bundle(archive) -> None:
    (report,) = archive.catalogue.notices.reports(str(OTHER_BUNDLE))
    assert (report.status, report.at_ms, report.reason) == (
        Status.DELETED,
        T0 + 5_000,
        BundleReason.DEPLETED_STORAGE,
    )
    assert archive.catalogue.notices.reports("ipn:1.1/2/3") == ()
    assert archive.catalogue.notices.reports() == (report,)


def test_a_notice_that_comes_again_and_a_rebuilt_catalogue_change_nothing(archive, tmp_path):
    notices = archive.catalogue.notices
    before = notices.losses(), notices.reports()
    archive.keep((GIVEN_UP, REPORTED))
    assert (notices.losses(), notices.reports()) == before
    with reindex(tmp_path) as rebuilt:
        assert (rebuilt.catalogue.notices.losses(), rebuilt.catalogue.notices.reports()) == before


@pytest.mark.parametrize("broken", [replace(GIVEN_UP, payload=GIVEN_UP.payload[:-1]),
                                    replace(REPORTED, payload=b"\x82\x01")])  # fmt: skip
def test_a_broken_notice_is_refused_and_stops_nothing(archive, broken) -> None:
    archive.keep((replace(broken, sequence=9), *whole_run()[3:5]))
    assert archive.catalogue.tally().refused == 1
    assert archive.catalogue.tally().kept == 5


def test_ls_and_the_report_name_the_losses(archive, tmp_path, capsys) -> None:
    place = ["--archive", str(tmp_path)]
    assert main(["ls", *place]) == 0
    assert "lost     part 5 of product 10.3.77" in capsys.readouterr().out
    assert main(["ls", "--losses", *place]) == 1
    assert "the store was full" in capsys.readouterr().out
    assert main(["ls", "--losses", "--json", *place]) == 1
    first = json.loads(capsys.readouterr().out)[0]
    assert (first["reason"], first["reporter"], first["length"]) == ("evicted", "ipn:20.1", 4_000)
    assert main(["export", "losses", *place]) == 0
    assert "part 5 of product 10.3.77" in capsys.readouterr().out
    write_report(archive, tmp_path / "report.html", title="t", progress=lambda _done, _total: None)
    text = (tmp_path / "report.html").read_text()
    assert "Named losses" in text
    assert "part 5 of product 10.3.77" in text
