"""What this node calls itself, and how the endpoint ids that it makes are written."""

from dataclasses import replace

from flight.relay.endpoint import EndpointId, Scheme, ipn
from flight.relay.settings import IdForm, NodeSettings


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
