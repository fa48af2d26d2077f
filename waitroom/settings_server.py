"""The settings of a process: where it listens, what it asks of the connections there, and what it keeps."""

import ssl
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from waitroom import admin_tokens, store_url
from waitroom.admin_tokens import Role, Token
from waitroom.certificates import load_pair
from waitroom.setting_types import Address, LogFile, Network, Patience, StoreUrl, Table
from waitroom.wire.limits import WireLimits


class TlsSettings(Table):
    """TLS for visitors. The files are followed: a renewed certificate is served within a second or two, a bad one
    never."""

    listen: Annotated[list[Address], Field(min_length=1)] = ["0.0.0.0:8443"]
    """addresses for HTTPS"""
    certificate: Annotated[str, Field(min_length=1)]
    """PEM, with its chain"""
    key: Annotated[str, Field(min_length=1)]
    """PEM, not encrypted"""

    @model_validator(mode="after")
    def _loads(self) -> Self:
        load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self.certificate, self.key)
        return self


class LimitSettings(Table):
    """What one visitor may ask of one process."""

    head_s: Patience = 10
    """for the whole head of a request, and for a TLS handshake"""
    idle_s: Patience = 75
    """a connection between two requests"""
    body_s: Patience = 30
    """a request's body that makes no progress"""
    send_s: Patience = 60
    """a visitor who takes nothing of a response"""
    target_bytes: Annotated[int, Field(ge=256, le=65_536)] = 8_192
    """path and query; longer: 414"""
    fields_bytes: Annotated[int, Field(ge=1_024, le=1_048_576)] = 32_768
    """all header fields of a request; more: 431"""
    fields_count: Annotated[int, Field(ge=10, le=10_000)] = 100
    """how many they may be; more: 431"""
    body_bytes: Annotated[int, Field(ge=0, le=2**50)] = 0
    """the body of a request; more: 413. 0: no limit"""
    connections: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """connections at once; those beyond get 503"""

    def to_limits(self) -> WireLimits:
        """As values for the rest of the program."""
        return WireLimits(**self.model_dump())


class ServerSettings(Table):
    """Where visitors come, and by how many processes they are served."""

    listen: list[Address] = ["0.0.0.0:8080"]
    """addresses for plain HTTP; "0.0.0.0:8080" to be reached from elsewhere"""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """processes, 1 to 64: as many as there are cores to spare"""
    trusted_proxies: list[Network] = []
    """networks whose X-Forwarded-* is believed, for instance ["10.0.0.0/8"]"""
    proxy_protocol: list[Network] = []
    """networks whose connections all begin with a PROXY header (v1 or v2), which is believed"""
    drain_s: Annotated[float, Field(ge=0, le=3_600)] = 30
    """how long requests under way may take when a worker stops"""
    access_log: LogFile = ""
    """a line for each request: "" none, "-" to the standard output, else to this file"""
    issuer: Annotated[str, Field(min_length=1)] = "waitroom"
    """the `iss` of admissions"""
    state: str = ".waitroom"
    """folder of the embedded Redis, of development keys and of sockets; a change needs a restart"""
    tls: TlsSettings | None = None
    limits: LimitSettings = LimitSettings()

    @model_validator(mode="after")
    def _listens(self) -> Self:
        if not self.listen and not self.tls:
            raise ValueError("listen should have at least one address, or [server.tls] should have one")
        return self


class TokenSettings(Table):
    """A token of the admin API, as `waitroom token NAME` prints it."""

    name: Annotated[str, Field(pattern=admin_tokens.NAME)]
    """what the audit log says"""
    role: Role
    """reader: looks; operator: also acts"""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$", repr=False)]
    """of the token, in hex"""

    def to_token(self) -> Token:
        """As a value for the rest of the program."""
        return Token(self.name, self.role, bytes.fromhex(self.sha256))


class AdminSettings(Table):
    """Where operators look."""

    listen: Address = "127.0.0.1:9180"
    """the dashboard, /api and /metrics: never on the public listener"""
    tokens: list[TokenSettings] = []
    """who may use them besides this machine's own user; made by `waitroom token NAME`, and applied within a second"""

    @model_validator(mode="after")
    def _unique_tokens(self) -> Self:
        for values, what in (
            ([admin_tokens.LOCAL, *(token.name for token in self.tokens)], "name"),
            ([token.sha256.lower() for token in self.tokens], "sha256"),
        ):
            if twice := sorted({value for value in values if values.count(value) > 1}):
                raise ValueError(f"each of the tokens needs a {what} of its own; used twice: {', '.join(twice)}")
        return self


class StoreSettings(Table):
    """Where places are kept."""

    url: StoreUrl = SecretStr("")
    """empty: an embedded Redis; else one of those below, { file = "PATH" } or { env = "NAME" }"""
    timeout_ms: Annotated[int, Field(ge=50, le=5_000)] = store_url.TIMEOUT_MS
    """a Redis that takes longer to connect or to answer is lost until it answers again"""


class KeySettings(Table):
    """Files made by `waitroom keys`; the first signs, all verify."""

    admission: list[str] = []
    """empty: a development key, made in the state folder"""
    ticket: list[str] = []
    """empty: a development secret, made in the state folder"""
