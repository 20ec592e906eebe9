"""What the board's values say, in words and units, for people."""

from flight.autonomy.mineral import Phase
from flight.autonomy.sample import AMOUNTS_G
from flight.product.events import EventReport
from flight.product.journal import JournalEntry
from flight.product.part import ProductKind
from flight.product.status import Boot, Health, Reply
from flight.product.values import Decision, Finding, Kind, NoAnswer, Verdict
from ground.console import clean, table
from ground.rows import Row
from ground.times import data_size, utc

SYMBOLS = {
    11: "Na", 12: "Mg", 13: "Al", 14: "Si", 15: "P", 16: "S", 19: "K", 20: "Ca", 22: "Ti",
    23: "V", 24: "Cr", 25: "Mn", 26: "Fe", 27: "Co", 28: "Ni", 29: "Cu", 30: "Zn",
}  # fmt: skip
"""Of the elements whose lines flight.autonomy.xray knows."""

OXIDES = {
    14: "SiO2", 22: "TiO2", 13: "Al2O3", 26: "FeO", 12: "MgO", 20: "CaO", 11: "Na2O", 19: "K2O",
}  # fmt: skip
"""By atomic number of the metal; iron is told as FeO, whatever its state."""

PHASE_NAMES = {
    Phase.UNSURE: "unsure",
    Phase.LOW_CA_PYROXENE: "low-Ca pyroxene",
    Phase.HIGH_CA_PYROXENE: "high-Ca pyroxene",
    Phase.OLIVINE: "olivine",
    Phase.PLAGIOCLASE: "plagioclase",
    Phase.OTHER: "other or mixed",
}

FRAMELESS = frozenset(
    (
        ProductKind.BOOT,
        ProductKind.URGENT_EVENTS,
        ProductKind.REPLY,
        ProductKind.EVENTS,
        ProductKind.HEALTH,
        ProductKind.LINK,
    )
)
"""Kinds that speak of the board and of no frame."""

PRIORITY_NAMES = ("decisions and faults", "summaries", "evidence", "full frames")


def kind_name(kind: ProductKind) -> str:
    """Return a product kind as the command line writes it: ``hazard-map``."""
    return kind.name.lower().replace("_", "-")


def verdict_name(verdict: Verdict) -> str:
    """Return a verdict in words."""
    return verdict.name.lower().replace("_", " ")


def phase_name(number: int) -> str:
    """Return a mineral phase's name."""
    return PHASE_NAMES.get(Phase(number), "") if number in set(Phase) else f"phase {number}"


def element_name(number: int) -> str:
    """Return an element's symbol."""
    return SYMBOLS.get(number, f"Z={number}")


def oxide_name(metal: int) -> str:
    """Return the oxide that a metal is told as."""
    return OXIDES.get(metal, f"oxide of {element_name(metal)}")


def amount_name(bracket: int) -> str:
    """Return a bracket of a sample's amount in grams."""
    if bracket <= 0:
        return f"less than {AMOUNTS_G[0]} g"
    if bracket >= len(AMOUNTS_G):
        return f"more than {AMOUNTS_G[-1]} g"
    return f"{AMOUNTS_G[bracket - 1]} to {AMOUNTS_G[bracket]} g"


def reason_name(number: int) -> str:
    """Return why there is no answer."""
    known = number in {int(reason) for reason in NoAnswer}
    return NoAnswer(number).name.lower().replace("_", " ") if known else f"reason {number}"


def finding_words(finding: Finding) -> str:
    """Return one finding as a sentence with units."""
    f = finding
    sentences = {
        Kind.SAFE_SITE: f"safe site at row {f.row}, column {f.column}, clear radius {f.extent} px"
        f" (mean raw output {f.score})",
        Kind.HAZARD_AREA: f"hazard on {f.score / 10:.1f} % of the frame",
        Kind.NO_SAFE_SITE: "no safe site",
        Kind.SHADOW_AREA: f"deep shadow on {f.score / 10:.1f} % of the frame",
        Kind.FORBIDDEN_AREA: f"range image forbids {f.score / 10:.1f} % of the frame",
        Kind.PHASE: f"{phase_name(f.label)} in {f.extent} pixels"
        f" (median confidence {f.score / 10:.1f} %)",
        Kind.ANOMALY: f"anomaly {f.extent + 1} at line {f.row}, sample {f.column}"
        f" (score {f.score / 16:.1f})",
        Kind.ELEMENT: f"{element_name(f.label)}: {f.score} ± {f.extent} net counts",
        Kind.METAL: f"metal contamination suspected: {element_name(f.label)},"
        f" {f.score / 10:.1f} % of net counts",
        Kind.OXIDE: f"{oxide_name(f.label)}: {f.score / 1000:.2f} ± {f.extent / 1000:.2f} wt %",
        Kind.STRANGE_SPECTRUM: "unlike any spectrum the model knows: off by"
        f" {100 * (2 ** (min(f.score, 60_000) / 1000) - 1):.0f} % in the mean, most at"
        f" {f.label / 1000:.2f} keV, where {100 * (2 ** (min(f.extent, 60_000) / 1000) - 1):.0f} %"
        " is the limit",
        Kind.NO_ANSWER: f"no answer: {reason_name(f.label)}"
        + (f" in {f.extent} pixels" if f.extent else ""),
        Kind.SEALED: f"canister shut and tight (raw output {f.score})",
        Kind.SEAL_OBSTRUCTED: "lid down, but something holds it off the seal"
        f" (raw output {f.score})",
        Kind.JAM: f"scoop or lid jammed (raw output {f.score})",
        Kind.ACQUIRED: f"sample aboard, {amount_name(f.label)} (raw output {f.score})",
        Kind.NOT_ACQUIRED: f"nothing acquired: {amount_name(0)} (raw output {f.score})",
        Kind.SPILL: f"soil spilled beside the canister (raw output {f.score})",
    }
    return sentences[f.kind]


def decision_words(decision: Decision) -> str:
    """Return a decision in one line."""
    error = f" within {decision.maximum_error} counts" if decision.maximum_error else ""
    extras = ["evidence sent"] * decision.keep_evidence
    extras += [f"frame sent{error}"] * decision.keep_frame
    return ", ".join([verdict_name(decision.verdict), *extras])


def entry_text(entry: JournalEntry) -> str:
    """Return a journal entry as a block of text."""
    step, decision = entry.step, entry.decision
    shape = " x ".join(str(length) for length in step.frame.shape)
    lines = [
        f"decision   step {step.number}: {decision_words(decision)}",
        f"frame      {clean(step.sensor)} {step.frame_number}, {shape} samples,"
        f" taken {utc(step.taken.dtn_ms)}"
        + (f" ({clean(step.frame_name)})" * bool(step.frame_name)),
        f"decided    {utc(step.now.dtn_ms)}, task {clean(step.task)}",
        f"model      {step.model_digest.hex() or 'none asked'}",
        f"chain      {entry.digest.hex()}",
        *(f"finding    {finding_words(finding)}" for finding in decision.findings),
    ]
    return "\n".join(lines)


def boot_text(boot: Boot) -> str:
    """Return a boot record as a block of text."""
    lines = [
        f"boot       {boot.boot} of node {boot.node} at {utc(boot.now.dtn_ms)}",
        f"software   {clean(boot.software)}",
        f"settings   {boot.config_digest.hex()}",
        f"journal    continues with step {boot.step}",
    ]
    lines += [
        f"model      {clean(m.name)} {clean(m.version)} for {clean(m.task)}, {m.digest.hex()}"
        for m in boot.models
    ]
    lines += [f"policy     {clean(name)}: {len(values)} integers" for name, values in boot.policies]
    return "\n".join(lines)


def event_cells(report: EventReport) -> tuple[str, str, str, str]:
    """Return (time, severity, words, count) of an event."""
    happening = report.happening
    times = f"x {report.count}" if report.count > 1 else ""
    severity = happening.event.severity.name.lower()
    return utc(report.first.dtn_ms), severity, clean(happening.words()), times


def events_text(reports: tuple[EventReport, ...]) -> str:
    """Return events as a table."""
    return table(("first seen (UTC)", "severity", "event", ""), [event_cells(r) for r in reports])


def health_text(health: Health) -> str:
    """Return housekeeping as a table; -1, not measured, as a dash."""
    rows = [
        (name, "-" if value == -1 else str(value))
        for name, value in zip(health.names, health.values, strict=False)
    ]
    return f"housekeeping at {utc(health.now.dtn_ms)}\n" + table(
        ("what", "value"), rows, right=" r"
    )


def reply_text(reply: Reply) -> str:
    """Return a reply as one line."""
    return f"command {reply.number} {'done' if reply.done else 'refused'}: {clean(reply.words)}"


def row_text(row: Row) -> str:
    """Return what the catalogue knows of a product, as a block of text."""
    header = row.header
    arrived = header.count - len(row.missing)
    owner = clean(header.sensor)
    if header.kind not in FRAMELESS:
        owner += f" frame {header.frame_number}"
    lines = [
        f"product    {header.id}, {kind_name(header.kind)}, priority {row.priority}",
        f"of         {owner}, taken {utc(header.taken.dtn_ms)}",
        f"received   {utc(row.first_received_ms)} to {utc(row.last_received_ms)}",
        f"here       {arrived} of {header.count} parts, {data_size(row.data_bytes)}",
    ]
    if row.missing:
        lines.append(f"missing    parts {ranges(row.missing)}")
    return "\n".join(lines)


def ranges(numbers: tuple[int, ...], most: int = 12) -> str:
    """Return ascending numbers as ranges: ``0-3, 7``."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    words = [str(first) if first == last else f"{first}-{last}" for first, last in found[:most]]
    return ", ".join(words) + (f" and {len(found) - most} more ranges" * (len(found) > most))
