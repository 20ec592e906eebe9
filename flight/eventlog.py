"""Gathers what happens until it is sent: a repeated event is a count, and there is a limit."""

from dataclasses import replace

from flight.instant import Instant
from flight.product.events import MAX_EVENTS_A_RECORD, EventReport, Happening, Severity


class EventLog:
    """Events in order of their first happening, waiting to be sent."""

    def __init__(self) -> None:
        self._reports: dict[Happening, EventReport] = {}
        self.dropped = 0
        """Events beyond MAX_EVENTS_A_RECORD between two sendings."""

    def note(self, happening: Happening, now: Instant) -> None:
        """Remember one happening; the same one again only counts."""
        known = self._reports.get(happening)
        if known is not None:
            self._reports[happening] = replace(known, count=known.count + 1)
        elif len(self._reports) < MAX_EVENTS_A_RECORD:
            self._reports[happening] = EventReport(happening, now)
        else:
            self.dropped += 1

    @property
    def urgent(self) -> bool:
        """Whether a warning or worse is waiting."""
        return any(h.event.severity >= Severity.WARNING for h in self._reports)

    def __len__(self) -> int:
        return len(self._reports)

    def take(self) -> tuple[EventReport, ...]:
        """Return, and forget, the reports."""
        reports = tuple(self._reports.values())
        self._reports.clear()
        return reports
