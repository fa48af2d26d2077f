"""All probes: the contract of the proxy, told of any proxy between a visitor and a scripted origin."""

from tests.waitroom.proxy.probes_of_requests import REQUESTS
from tests.waitroom.proxy.probes_of_responses import RESPONSES
from tests.waitroom.proxy.probes_of_streams import STREAMS

PROBES = tuple(sorted((*REQUESTS, *RESPONSES, *STREAMS), key=lambda probe: probe.row))
