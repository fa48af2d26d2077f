"""The settings of a room: whom it guards, and what its line allows."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from waitroom import page_proof
from waitroom.engines import Engine
from waitroom.languages import SOURCE
from waitroom.limits import TICK_MS, Limits, Mode, OnStoreLoss
from waitroom.rooms import KEY, Room
from waitroom.setting_types import (
    ROOM_NAME,
    GuardedGlob,
    HostGlob,
    KeyPattern,
    LanguageCode,
    Moment,
    Origin,
    PathGlob,
    ScriptOrigin,
    Seconds,
    Table,
)
from waitroom.settings_adaptive import AdaptiveSettings
from waitroom.settings_identity import IdentitySettings
from waitroom.settings_origin import OriginSettings
from waitroom.settings_page import FOR_ALL, PageSettings, Words
from waitroom.template_rules import Flaw

# What a key may consist of in any case: it stands in cookies' names, in tickets and in Redis.
KEY_CHARACTERS = r"[A-Za-z0-9_-]{1,64}"
# What it consists of unless the operator says otherwise. No capitals: where an origin takes two spellings for one
# thing, only one of them may have a line.
KEY_PATTERN = r"[a-z0-9_-]+"
# So many are told at a time.
MOST_FLAWS = 5


class RoomSettings(Table):
    """A room: which requests it guards, what its line allows, and which origins are behind it."""

    name: Annotated[str, Field(pattern=ROOM_NAME)]
    """letters, digits and -; part of the cookies' names"""
    title: str = ""
    """what visitors read; empty: the name"""
    audience: str = ""
    """the `aud` of admissions; empty: the name"""
    hosts: Annotated[list[HostGlob], Field(min_length=1)] = ["*"]
    """host names, * for anything"""
    paths: Annotated[list[GuardedGlob], Field(min_length=1)] = ["/*"]
    """paths, * for anything; or each with {key}, as in "/flights/{key}/*": a line for each flight"""
    key_pattern: KeyPattern = KEY_PATTERN
    """what a key may be (a regular expression): at most 64 letters, digits, - and _"""
    max_lines: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    """lines of a room with keys, at a time"""
    idle_s: Annotated[int, Field(ge=60, le=7 * 86_400)] = 3_600
    """when a line of a room with keys is forgotten, after nobody has asked for it"""
    bypass: list[PathGlob] = []
    """paths that pass without a place, for instance ["/healthz", "/webhooks/*"]"""
    crawlers: list[Engine] = []
    """search engines whose robots pass; others get 503 (docs/proxy.md). For instance ["google", "bing", "naver"]"""
    origins: list[Origin]
    """"http://host:port", "https://host" or "unix:/path/to.sock"; []: only forward-auth asks of this room"""
    origin: OriginSettings = OriginSettings()
    cors_origins: list[ScriptOrigin] = []
    """origins whose scripts may ask for the place, for instance ["https://app.example.com"] (docs/place-api.md)"""
    mode: Mode = "auto"
    """auto | queue | hold | open | closed"""
    rate_per_minute: Annotated[int, Field(ge=1, le=6_000_000)] = 600
    """calls"""
    burst: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """calls at once after a quiet time; default: a second's worth and one"""
    cap: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    """visitors inside at once"""
    session_s: Seconds = 600
    """a lease; activity renews it"""
    claim_s: Annotated[int, Field(ge=5, le=3_600)] = 60
    """how long a called visitor has to come; by one click, as long again"""
    presence_s: Annotated[int, Field(ge=5, le=3_600)] = 60
    """who is not seen for this long is passed over, and keeps the number"""
    opens_at: Moment | None = None
    """nobody is called before; who comes early waits for the opening"""
    closes_at: Moment | None = None
    """nobody is called from then on; who is inside stays"""
    draw: Annotated[str, Field(pattern=ROOM_NAME)] | None = None
    """a name: those who come early are drawn (docs/draw.md). A new draw needs a new name"""
    draw_size: Annotated[int, Field(ge=1, le=10_000_000)] = 1_000_000
    """places that are drawn; whoever comes beyond queues behind them"""
    adaptive: AdaptiveSettings | None = None
    identity: IdentitySettings | None = None
    on_store_loss: OnStoreLoss = "hold"
    """without Redis: hold (only the admitted pass) | open | closed"""
    loss_cap: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """with "open": how many each process lets in by itself; default: cap"""
    page_status: Annotated[int, Field(ge=200, le=599)] = 200
    """HTTP status of the waiting page"""
    polls_per_second: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """what the polls of a whole line should stay under"""
    status_s: Annotated[int, Field(ge=0, le=30)] = 0
    """how long caches may keep the line's public status, by which pages find their places; 0: none (docs/scale.md)"""
    message: Words = ""
    """a word of yours on the waiting page; or in { } one for each language: { en = "Hello", ko = "안녕하세요" }"""
    language: LanguageCode = SOURCE
    """of the pages, for visitors who ask for none that there is"""
    page: PageSettings = PageSettings()

    @field_validator("page")
    @classmethod
    def _proven(cls, page: PageSettings, info: ValidationInfo) -> PageSettings:
        """Each page is tried before a visitor sees it."""
        look = page.to_look()
        if look.templates:
            title = info.data.get("title") or info.data.get("name", "")
            if flaws := page_proof.flaws(look, title, info.data.get("language", SOURCE)):
                raise ValueError(f"templates = {look.folder!r} should be mended: {_some(flaws)}")
        return page

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
        if self.adaptive and not self.origins:
            raise ValueError("adaptive needs origins: it goes by how long they take")
        if self.adaptive and self.adaptive.rate_min > self.rate_per_minute:
            raise ValueError(
                f"adaptive.rate_min = {self.adaptive.rate_min} should not be above "
                f"rate_per_minute = {self.rate_per_minute}, which is the most that it may rise to"
            )
        if self.draw and not self.opens_at:
            raise ValueError("draw needs opens_at: those who come before it are drawn")
        if self.opens_at and self.closes_at and self.opens_at >= self.closes_at:
            raise ValueError("closes_at should be after opens_at")
        if self.language not in self.message and FOR_ALL not in self.message:
            raise ValueError(f"message should have a text in the room's language, {self.language!r}, too")
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
            message=self.message.get(FOR_ALL) or self.message.get(self.language, ""),
            messages={code: text for code, text in self.message.items() if code != FOR_ALL},
            language=self.language,
            look=self.page.to_look(),
            key_pattern=rf"(?={KEY_CHARACTERS}\Z)(?:{self.key_pattern})",
            most_lines=self.max_lines,
            identity=self.identity.to_identity() if self.identity else None,
            on_store_loss=self.on_store_loss,
            loss_cap=self.loss_cap or self.cap,
            origin_terms=self.origin.to_terms(),
            adaptive=self.adaptive.to_terms() if self.adaptive else None,
            cors_origins=tuple(self.cors_origins),
            crawlers=tuple(self.crawlers),
            status_s=self.status_s,
        )


def _some(flaws: Sequence[Flaw]) -> str:
    told = "; ".join(map(str, flaws[:MOST_FLAWS]))
    return f"{told}; and {len(flaws) - MOST_FLAWS} more" if len(flaws) > MOST_FLAWS else told


def _to_ms(moment: datetime | None) -> int:
    return round(moment.timestamp() * 1000) if moment else 0
