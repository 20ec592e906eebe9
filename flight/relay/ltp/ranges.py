"""Which bytes of a block are here: a sorted flat list, start, end, start, end, none touching."""

from bisect import bisect_left, bisect_right


def add_range(edges: list[int], start: int, end: int) -> None:
    """Put ``[start, end)`` in, joining what it overlaps or touches."""
    first, last = bisect_left(edges, start), bisect_right(edges, end)
    # An even position lies in a gap (or on a start), an odd one within a range (or on its end).
    edges[first:last] = [start][first % 2 :] + [end][last % 2 :]


def ranges_within(edges: list[int], lower: int, upper: int) -> list[tuple[int, int]]:
    """Return the parts of ``[lower, upper)`` that are here, ascending."""
    first = bisect_right(edges, lower) & ~1
    last = bisect_left(edges, upper)
    return [(max(edges[i], lower), min(edges[i + 1], upper)) for i in range(first, last, 2)]
