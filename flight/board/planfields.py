"""A product's plan as the encoding worker is told it."""

from flight.autonomy.plan import Plan
from flight.product.part import ProductKind
from flight.product.records import Fields


def plan_fields(plan: Plan) -> list[object]:
    """Return what ``content_of`` and the codec need to know of a plan."""
    options = (plan.part_lines, plan.tile, plan.maximum_error)
    return [plan.slot, int(plan.kind), plan.codec, plan.raw_bytes, list(plan.place), *options]


def read_plan(fields: Fields) -> Plan:
    """Return the plan that ``plan_fields`` wrote.

    Raises:
        WireError: a field is missing or out of range.
    """
    return Plan(
        slot=fields.integer("slot"),
        kind=fields.enum(ProductKind, "product kind"),
        codec=fields.integer("codec"),
        raw_bytes=fields.integer("raw bytes"),
        place=fields.integers("place"),
        part_lines=fields.integer("part lines"),
        tile=fields.integer("tile", 1),
        maximum_error=fields.integer("maximum error"),
    )
