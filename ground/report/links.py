"""The report's section on links: what waited, what was sent, how each link stood at the end."""

import numpy as np

from ground.library import Library
from ground.linkwords import LINKS_HEAD, Reading, link_readings, link_rows, sent_rates
from ground.report.charts import Line, curve_chart
from ground.report.markup import Html, join, tag
from ground.report.tables import section
from ground.times import duration, utc

_PRIORITIES = range(4)


def links_section(library: Library) -> Html:
    """Return how the links of every node stood over time; nothing where none has told."""
    cards = [_card(node, readings) for node, readings in sorted(link_readings(library).items())]
    if not cards:
        return join([])
    words = "What nodes tell of their queues and links, a record now and then at a low priority."
    return section("Links", words, tag("div", *cards, class_="cards wide"))


def _card(node: int, readings: list[Reading]) -> Html:
    last = readings[-1].state
    figures = last.named()
    start_ms = readings[0].state.now.dtn_ms
    minutes = np.array([(r.state.now.dtn_ms - start_ms) / 60_000 for r in readings])
    waiting = [
        Line(
            minutes,
            np.array([float(r.state.named()[f"queued_p{p}_bundles"]) for r in readings]),
            f"priority {p}",
        )
        for p in _PRIORITIES
    ]
    sent = [
        Line(
            np.array([(at - start_ms) / 60_000 for at, _ in rates]),
            np.array([rate / 1000 for _, rate in rates]),
            f"to node {link['peer_node']}",
        )
        for index, link in enumerate(last.named_links())
        if (rates := sent_rates(readings, index))
    ]
    charts = []
    if len(readings) > 1:
        charts.append(curve_chart(waiting, x_name="minutes", y_name="bundles waiting"))
    if sent:
        charts.append(curve_chart(sent, x_name="minutes", y_name="kB a second sent"))
    words = (
        f"at {utc(last.now.dtn_ms)}, after {len(readings)} records; oldest bundle"
        f" {duration(1000 * figures['oldest_s'])}, {figures['buried_bundles']} given up"
    )
    rows = [tag("tr", *(tag("td", cell) for cell in row)) for row in link_rows(last)]
    head = tag("tr", *(tag("th", name) for name in LINKS_HEAD))
    return tag(
        "div",
        tag("h3", f"Node {node}", tag("span", words, class_="quiet")),
        *charts,
        tag("table", tag("thead", head), tag("tbody", *rows)),
        class_="card",
    )
