"""The settings of a room's origins: times, health and TLS."""

import ssl
from typing import Annotated, Self

from pydantic import Field, model_validator

from waitroom.certificates import check_authorities, load_pair
from waitroom.origin_terms import OriginTerms
from waitroom.setting_types import HealthPath, Patience, ServerName, Table

Count = Annotated[int, Field(ge=1, le=1_000)]


class OriginSettings(Table):
    """How a room deals with its origins: times, health and TLS."""

    connect_s: Patience = 5
    """for a connection, with its TLS"""
    response_s: Patience = 60
    """until the head of a response"""
    stall_s: Patience = 300
    """between two reads of a response's body"""
    idle_s: Patience = 4
    """how long a connection is kept for the next request: less than the origin keeps it"""
    connections: Annotated[int, Field(ge=1, le=100_000)] = 1_024
    """of one process to one origin; beyond: 503"""
    health_path: HealthPath = ""
    """asked of each origin, a status under 400 is well; default: nobody is asked"""
    health_interval_s: Patience = 5
    """from one check to the next"""
    health_timeout_s: Patience = 2
    """a check that takes longer has failed"""
    health_fall: Count = 3
    """failed checks in a row that take an origin out"""
    health_rise: Count = 2
    """good ones in a row that take it back"""
    eject_after: Count = 5
    """failed requests in a row that take an origin out"""
    eject_s: Patience = 10
    """for so long"""
    slow_start_s: Annotated[float, Field(ge=0, le=86_400)] = 10
    """how long one that is back gets less than its share"""
    resolve_s: Patience = 30
    """how often a host's addresses are asked for"""
    verify: bool = True
    """https: false believes any certificate"""
    ca_file: str = ""
    """https: the authorities (PEM) that are believed; empty: the system's"""
    server_name: ServerName = ""
    """https: the name that is asked for and verified; empty: the host's"""
    certificate: str = ""
    """https: a client certificate of ours (PEM)"""
    key: str = ""
    """https: the key of that certificate (PEM)"""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.health_timeout_s > self.health_interval_s:
            raise ValueError("health_timeout_s should not be longer than health_interval_s")
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key go together")
        if self.ca_file and not self.verify:
            raise ValueError("ca_file means nothing with verify = false")
        if self.ca_file:
            check_authorities(self.ca_file)
        if self.certificate:
            load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), self.certificate, self.key)
        return self

    def to_terms(self) -> OriginTerms:
        """As values for the rest of the program."""
        return OriginTerms(**self.model_dump())
