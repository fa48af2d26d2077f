"""The settings of a process: where it listens, what it asks of the connections there, and what it keeps."""

import ssl
from typing import Annotated, Self

from pydantic import Field, model_validator

from waitroom import store_url
from waitroom.certificates import load_pair
from waitroom.setting_types import Address, LogFile, Network, Patience, StoreUrl, Table
from waitroom.wire.limits import WireLimits


class TlsSettings(Table):
    """Where visitors are served by TLS, and with which certificate."""

    listen: Annotated[list[Address], Field(min_length=1)] = ["0.0.0.0:8443"]
    certificate: Annotated[str, Field(min_length=1)]
    key: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _loads(self) -> Self:
        load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self.certificate, self.key)
        return self


class LimitSettings(Table):
    """What one visitor may ask of a process."""

    head_s: Patience = 10
    idle_s: Patience = 75
    body_s: Patience = 30
    send_s: Patience = 60
    target_bytes: Annotated[int, Field(ge=256, le=65_536)] = 8_192
    fields_bytes: Annotated[int, Field(ge=1_024, le=1_048_576)] = 32_768
    fields_count: Annotated[int, Field(ge=10, le=10_000)] = 100
    body_bytes: Annotated[int, Field(ge=0, le=2**50)] = 0
    connections: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000

    def to_limits(self) -> WireLimits:
        """As values for the rest of the program."""
        return WireLimits(**self.model_dump())


class ServerSettings(Table):
    listen: list[Address] = ["0.0.0.0:8080"]
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    trusted_proxies: list[Network] = []
    proxy_protocol: list[Network] = []
    drain_s: Annotated[float, Field(ge=0, le=3_600)] = 30
    access_log: LogFile = ""
    issuer: Annotated[str, Field(min_length=1)] = "waitroom"
    state: str = ".waitroom"
    tls: TlsSettings | None = None
    limits: LimitSettings = LimitSettings()

    @model_validator(mode="after")
    def _listens(self) -> Self:
        if not self.listen and not self.tls:
            raise ValueError("listen should have at least one address, or [server.tls] should have one")
        return self


class AdminSettings(Table):
    listen: Address = "127.0.0.1:9180"


class StoreSettings(Table):
    url: Annotated[StoreUrl, Field(repr=False)] = ""
    timeout_ms: Annotated[int, Field(ge=50, le=5_000)] = store_url.TIMEOUT_MS


class KeySettings(Table):
    admission: list[str] = []
    ticket: list[str] = []
