"""What nodes are called: how this one writes endpoint ids, and what dtn names mean here."""

from dataclasses import replace

from flight.relay.endpoint import EndpointId, Scheme, ipn
from flight.relay.settings import IdForm, NodeSettings

NO_SERVICE = 0xFFFFFFFFFFFFFFFF
"""Stands for a service that has a name: nobody here can have that number."""
_SERVICE_DIGITS_MAX = 15


def own_id(settings: NodeSettings, service: int) -> EndpointId:
    """Return the id of a service of this node; 0 stands for the node itself."""
    if settings.id_form is IdForm.DTN:
        return EndpointId(Scheme.DTN, name=f"//{settings.dtn_name}/{service or ''}")
    three = settings.id_form is IdForm.THREE_ELEMENTS
    return ipn(settings.node_number, service, three_elements=three)


def written(settings: NodeSettings, endpoint: EndpointId) -> EndpointId:
    """Return an id of another node in the form that this node writes."""
    if settings.id_form is IdForm.THREE_ELEMENTS and endpoint.scheme == Scheme.IPN:
        return replace(endpoint, three_elements=True)
    return endpoint


def placed(settings: NodeSettings, endpoint: EndpointId) -> EndpointId:
    """Return the numbers by which routes and services know an endpoint.

    dtn://NAME/SERVICE of a known name is service SERVICE of its node; without a service it is the
    node itself. Any other id stays what it is.
    """
    if endpoint.scheme == Scheme.IPN or endpoint.is_null:
        return endpoint
    name, _, service = endpoint.name.removeprefix("//").partition("/")
    node = settings.number_of(name) if name else None
    if node is None:
        return endpoint
    is_number = service.isascii() and service.isdigit() and len(service) <= _SERVICE_DIGITS_MAX
    return ipn(node, int(service) if is_number else NO_SERVICE if service else 0)
