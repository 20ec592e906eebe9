"""What was kept in memory while the medium failed, put back on the medium once it works again.

The entries keep their numbers, which are higher than any on the medium, so that whoever holds a
number still finds its bundle. All of it is one transaction: what fails half way has not happened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flight.relay.store.plan import Plan
from flight.relay.store.values import (
    UNSOLICITED,
    Delete,
    Entry,
    Found,
    Kind,
    Missing,
    Reason,
    Result,
    Stored,
)


@dataclass(frozen=True, slots=True)
class Refuge:
    """What a time in memory leaves behind."""

    entries: Sequence[tuple[Entry, bytes]]
    """With their data, oldest first."""
    gone: Mapping[int, Reason]
    """Numbers on the medium that were let go meanwhile, and why."""
    sequence: int
    """The last number given out."""
    created: int


def bring_home(plan: Plan, refuge: Refuge) -> list[Result]:
    """Plan for everything to be as if it had been on the medium all the time.

    Results: Buried for what finds no room, Missing for what the medium or the memory had twice,
    and Found for each bundle and tombstone that waited on the medium.
    """
    results = plan.results
    for reason in Reason:
        numbers = tuple(number for number, why in refuge.gone.items() if why == reason)
        if numbers:
            plan.delete(UNSOLICITED, Delete(numbers, reason))
    waited = [
        entry
        for entry in plan.catalogue.entries.values()
        if entry.kind in {Kind.BUNDLE, Kind.TOMBSTONE} and entry.sequence not in plan.inserts
    ]
    twice: set[int] = set()
    # Numbers that are made on the way, for tombstones, come after all that are brought.
    plan.sequence = max(plan.sequence, refuge.sequence)
    plan.created = max(plan.created, refuge.created)
    for entry, data in refuge.entries:
        known = plan.catalogue.entries.get(plan.catalogue.identities.get(entry.identity, 0))
        if known is not None and known.kind == Kind.BUNDLE:
            # The one in memory is the one that lives: it may be under way, or gone already.
            plan.forget([known])
            twice.add(known.sequence)
        elif known is not None:
            twice.add(entry.sequence)
            continue
        results += plan.adopt(entry, data)
    results += [Missing(UNSOLICITED, number) for number in sorted(twice)]
    results += [Found(UNSOLICITED, entry) for entry in waited if entry.sequence not in twice]
    return [one for one in results if not isinstance(one, Stored)]
