"""Wireshark's dissectors see in our bundles what we put there, and nothing wrong."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flight.instant import Instant
from flight.relay.bpsec import Demand, SecurityPolicy, SecurityRule, protect_bundle
from flight.relay.bundle import (
    BlockType,
    Bundle,
    BundleFlag,
    Reason,
    bundle_age_ms,
    encode_bundle,
    hop_count,
    make_bundle,
    previous_node,
)
from flight.relay.bundle.asb import read_security_block
from flight.relay.endpoint import ipn
from flight.relay.status import Status, StatusReport, encode_status_report
from hil_tests.rung2_property.bundles import bundles
from hil_tests.tshark import Tree, complaints, dissect, values

PORT = 4556
NOW = Instant(0, 816_000_000_000)
GOOD = "1"


def dissected(some: list[Bundle], folder: Path) -> list[Tree]:
    trees = dissect(list(map(encode_bundle, some)), folder, port=PORT, protocol="bundle")
    assert len(trees) == len(some)
    return trees


def integers(tree: Tree, name: str) -> list[int]:
    return [int(str(value), 0) for value in values(tree, name)]


def many_bundles(count: int) -> list[Bundle]:
    """Return what hypothesis makes of so many tries: one run of tshark sees them all."""
    made: list[Bundle] = []

    @settings(max_examples=count)
    @given(bundle=bundles(times=st.integers(0, 2**40)))
    def collect(bundle: Bundle) -> None:
        # Distinct numbers: tshark would take fragments of two bundles for one's.
        made.append(replace(bundle, primary=replace(bundle.primary, sequence=len(made))))

    collect()
    return made


def test_tshark_sees_every_value_of_a_bundle_and_good_checksums(tmp_path: Path) -> None:
    some = many_bundles(150)
    for tree, bundle in zip(dissected(some, tmp_path), some, strict=True):
        assert complaints(tree) == []
        primary = bundle.primary
        assert values(tree, "bpv7.primary.dst_uri") == [str(primary.destination)]
        assert values(tree, "bpv7.primary.src_uri") == [str(primary.source)]
        assert values(tree, "bpv7.primary.report_uri") == [str(primary.report_to)]
        assert integers(tree, "bpv7.primary.bundle_flags") == [primary.flags]
        assert integers(tree, "bpv7.create_ts.seqno") == [primary.sequence]
        assert integers(tree, "bpv7.time.dtntime")[0] == primary.created_ms
        assert integers(tree, "bpv7.primary.lifetime") == [primary.lifetime_ms]
        if bundle.is_fragment:
            assert integers(tree, "bpv7.primary.frag_offset") == [primary.fragment_offset]
            assert integers(tree, "bpv7.primary.total_len") == [primary.total_length]
        crcs = [primary.crc_type, *(block.crc_type for block in bundle.blocks)]
        assert integers(tree, "bpv7.crc_type") == crcs
        assert values(tree, "bpv7.crc_status") == [GOOD] * sum(map(bool, crcs))
        for name, field in (
            ("type_code", "type"),
            ("block_num", "number"),
            ("block_flags", "flags"),
        ):
            told = integers(tree, f"bpv7.canonical.{name}")
            assert told == [getattr(block, field) for block in bundle.blocks]
        hops, age, node = hop_count(bundle), bundle_age_ms(bundle), previous_node(bundle)
        if hops is not None:
            assert integers(tree, "bpv7.hop_count.limit") == [hops.limit]
            assert integers(tree, "bpv7.hop_count.current") == [hops.passed]
        if age is not None:
            assert integers(tree, "bpv7.bundle_age.time") == [age]
        if node is not None:
            assert values(tree, "bpv7.previous_node.uri") == [str(node)]


def protected(integrity: Demand, confidentiality: Demand) -> Bundle:
    rule = SecurityRule(
        integrity=integrity,
        confidentiality=confidentiality,
        integrity_key=b"0123456789abcdef",
        confidentiality_key=b"fedcba9876543210",
    )
    bundle = make_bundle(
        b"payload",
        source=ipn(1, 1),
        destination=ipn(3, 65),
        created_ms=NOW.dtn_ms,
        sequence=1,
        lifetime_ms=1000,
    )
    return protect_bundle(
        bundle, SecurityPolicy((rule,)), node=ipn(1, 1), random_bytes=lambda n: bytes(range(n))
    )


@pytest.mark.parametrize("confidentiality", [Demand.ACCEPT, Demand.REQUIRE])
def test_tshark_sees_every_value_of_security_blocks(confidentiality, tmp_path: Path) -> None:
    bundle = protected(Demand.REQUIRE, confidentiality)
    (tree,) = dissected([bundle], tmp_path)
    assert complaints(tree) == []
    sealed = confidentiality is Demand.REQUIRE
    kind = BlockType.CONFIDENTIALITY if sealed else BlockType.INTEGRITY
    contents = [read_security_block(b.data) for b in bundle.blocks if b.type == kind]
    assert integers(tree, "bpsec.asb.target") == [content.targets[0] for content in contents]
    assert integers(tree, "bpsec.asb.ctxid") == [content.context for content in contents]
    assert values(tree, "bpsec.asb.secsrc.uri") == ["ipn:1.1"] * len(contents)
    assert integers(tree, "bpsec.defaultsc.scope") == [7] * len(contents)
    field = "bpsec.defaultsc.authtag" if sealed else "bpsec.defaultsc.hmac"
    results = [content.results[0][0][1] for content in contents]
    told = [bytes.fromhex(str(value).replace(":", "")) for value in values(tree, field)]
    assert told == [result[-len(text) :] for result, text in zip(results, told, strict=True)]
    assert [len(text) for text in told] == [16 if sealed else 32] * len(contents)


def test_tshark_sees_every_value_of_a_status_report(tmp_path: Path) -> None:
    subject = make_bundle(
        b"payload",
        source=ipn(1, 1),
        destination=ipn(3, 65),
        report_to=ipn(1, 2),
        created_ms=NOW.dtn_ms,
        sequence=9,
        lifetime_ms=1000,
        flags=BundleFlag.REPORT_DELETION | BundleFlag.STATUS_TIME,
    )
    asserted = ((Status.DELETED, NOW.dtn_ms),)
    report = StatusReport(subject.id, asserted, Reason.LIFETIME_EXPIRED)
    bundle = make_bundle(
        encode_status_report(report),
        source=ipn(3, 0),
        destination=ipn(1, 2),
        created_ms=NOW.dtn_ms,
        sequence=1,
        lifetime_ms=1000,
        flags=BundleFlag.ADMINISTRATIVE,
    )
    (tree,) = dissected([bundle], tmp_path)
    assert complaints(tree) == []
    assert integers(tree, "bpv7.admin_rec.type_code") == [1]
    assert integers(tree, "bpv7.status_rep.reason_code") == [Reason.LIFETIME_EXPIRED]
    assert values(tree, "bpv7.status_rep.subj_src_uri") == ["ipn:1.1"]
    assert values(tree, "bpv7.status_assert.val") == ["0", "0", "0", "1"]
    assert integers(tree, "bpv7.time.dtntime") == [NOW.dtn_ms] * 3
    assert integers(tree, "bpv7.create_ts.seqno") == [1, 9]
