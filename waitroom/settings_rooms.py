"""The settings of a room: whom it guards, what its line allows, and how it deals with its origins."""

import math
import ssl
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from waitroom.certificates import check_authorities, load_pair
from waitroom.limits import TICK_MS, Limits, Mode, OnStoreLoss
from waitroom.origin_terms import OriginTerms
from waitroom.rooms import KEY, Room
from waitroom.setting_types import (
    GuardedGlob,
    HealthPath,
    HostGlob,
    KeyPattern,
    Moment,
    Origin,
    PathGlob,
    Patience,
    Seconds,
    ServerName,
    Table,
)
from waitroom.settings_identity import IdentitySettings

ROOM_NAME = r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$"
# What a key may consist of in any case: it stands in cookies' names, in tickets and in Redis.
KEY_CHARACTERS = r"[A-Za-z0-9_-]{1,64}"
# What it consists of unless the operator says otherwise. No capitals: where an origin takes two spellings for one
# thing, only one of them may have a line.
KEY_PATTERN = r"[a-z0-9_-]+"

Count = Annotated[int, Field(ge=1, le=1_000)]


class OriginSettings(Table):
    """How a room deals with its origins: times, health and TLS."""

    connect_s: Patience = 5
    response_s: Patience = 60
    stall_s: Patience = 300
    idle_s: Patience = 4
    connections: Annotated[int, Field(ge=1, le=100_000)] = 1_024
    health_path: HealthPath = ""
    health_interval_s: Patience = 5
    health_timeout_s: Patience = 2
    health_fall: Count = 3
    health_rise: Count = 2
    eject_after: Count = 5
    eject_s: Patience = 10
    slow_start_s: Annotated[float, Field(ge=0, le=86_400)] = 10
    resolve_s: Patience = 30
    ca_file: str = ""
    server_name: ServerName = ""
    verify: bool = True
    certificate: str = ""
    key: str = ""

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


class RoomSettings(Table):
    name: Annotated[str, Field(pattern=ROOM_NAME)]
    title: str = ""
    audience: str = ""
    hosts: Annotated[list[HostGlob], Field(min_length=1)] = ["*"]
    paths: Annotated[list[GuardedGlob], Field(min_length=1)] = ["/*"]
    key_pattern: KeyPattern = KEY_PATTERN
    max_lines: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    idle_s: Annotated[int, Field(ge=60, le=7 * 86_400)] = 3_600
    bypass: list[PathGlob] = []
    origins: list[Origin]
    origin: OriginSettings = OriginSettings()
    mode: Mode = "auto"
    rate_per_minute: Annotated[int, Field(ge=1, le=6_000_000)] = 600
    burst: Annotated[int, Field(ge=1, le=100_000)] | None = None
    cap: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    session_s: Seconds = 600
    claim_s: Annotated[int, Field(ge=5, le=3_600)] = 60
    presence_s: Annotated[int, Field(ge=5, le=3_600)] = 60
    opens_at: Moment | None = None
    closes_at: Moment | None = None
    draw: Annotated[str, Field(pattern=ROOM_NAME)] | None = None
    draw_size: Annotated[int, Field(ge=1, le=10_000_000)] = 1_000_000
    identity: IdentitySettings | None = None
    on_store_loss: OnStoreLoss = "hold"
    loss_cap: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    page_status: Annotated[int, Field(ge=200, le=599)] = 200
    polls_per_second: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    message: Annotated[str, Field(max_length=500)] = ""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        least = math.ceil(self.rate_per_minute * TICK_MS / 60_000) + 1
        if self.burst is not None and self.burst < least:
            raise ValueError(
                f"burst = {self.burst} would lose calls at rate_per_minute = {self.rate_per_minute}, "
                f"since the line calls every {TICK_MS} ms: it should be at least {least}"
            )
        if self.session_s < self.claim_s:
            raise ValueError(f"session_s = {self.session_s} should not be shorter than claim_s = {self.claim_s}")
        if len({KEY in path for path in self.paths}) > 1:
            raise ValueError("either all of the paths have {key}, or none")
        if KEY in self.paths[0] and self.idle_s < max(self.session_s, self.presence_s):
            raise ValueError(f"idle_s = {self.idle_s} should not be shorter than session_s and presence_s")
        if self.draw and not self.opens_at:
            raise ValueError("draw needs opens_at: those who come before it are drawn")
        if self.opens_at and self.closes_at and self.opens_at >= self.closes_at:
            raise ValueError("closes_at should be after opens_at")
        return self

    def to_room(self, version: int, edited_ms: int) -> Room:
        """This room as values for the rest of the program."""
        limits = Limits(
            version=version,
            edited_ms=edited_ms,
            mode=self.mode,
            rate_per_minute=self.rate_per_minute,
            burst=self.burst or math.ceil(self.rate_per_minute / 60) + 1,
            cap=self.cap,
            claim_ms=self.claim_s * 1000,
            presence_ms=self.presence_s * 1000,
            session_ms=self.session_s * 1000,
            opens_ms=_to_ms(self.opens_at),
            closes_ms=_to_ms(self.closes_at),
            draw=self.draw or "",
            draw_size=self.draw_size if self.draw else 0,
            idle_ms=self.idle_s * 1000 if KEY in self.paths[0] else 0,
        )
        return Room(
            name=self.name,
            title=self.title or self.name,
            audience=self.audience or self.name,
            hosts=tuple(self.hosts),
            paths=tuple(self.paths),
            bypass=tuple(self.bypass),
            origins=tuple(self.origins),
            limits=limits,
            page_status=self.page_status,
            polls_per_second=self.polls_per_second,
            message=self.message,
            key_pattern=rf"(?={KEY_CHARACTERS}\Z)(?:{self.key_pattern})",
            most_lines=self.max_lines,
            identity=self.identity.to_identity() if self.identity else None,
            on_store_loss=self.on_store_loss,
            loss_cap=self.loss_cap or self.cap,
            origin_terms=self.origin.to_terms(),
        )


def _to_ms(moment: datetime | None) -> int:
    return round(moment.timestamp() * 1000) if moment else 0
