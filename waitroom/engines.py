"""Search engines: how their robots call themselves, and under which names their addresses are found. Pure.

Each engine publishes both, so that a robot can be told from one who only calls itself so: the name that belongs to its
address ends in one of the domains, and the address belongs to that name.
https://support.apple.com/en-us/119829
https://www.baidu.com/search/spider.html
https://blogs.bing.com/webmaster/August-2012/How-to-Verify-that-Bingbot-is-Bingbot
https://developers.google.com/search/docs/crawling-indexing/verifying-googlebot
https://searchadvisor.naver.com/guide/seo-basic-firewall
https://napoveda.seznam.cz/en/seznambot-crawler
https://yandex.com/support/webmaster/robot-workings/check-yandex-robots.html
"""

import re
from functools import lru_cache
from typing import Literal

Engine = Literal["apple", "baidu", "bing", "google", "naver", "seznam", "yandex"]

# Of what robots say in User-Agent, what no browser says. Yandex has apps that say "Yandex", too.
CALLED: dict[str, Engine] = {
    "applebot": "apple",
    "baiduspider": "baidu",
    "bingbot": "bing",
    "googlebot": "google",
    "google-inspectiontool": "google",
    "yeti/": "naver",
    "seznambot": "seznam",
    "yandex.com/bots": "yandex",
}
# Only where robots of the search are: from google.com, Google also asks what its users want to have asked.
DOMAINS: dict[Engine, tuple[str, ...]] = {
    "apple": (".applebot.apple.com",),
    "baidu": (".baidu.com", ".baidu.jp"),
    "bing": (".search.msn.com",),
    "google": (".googlebot.com",),
    "naver": (".naver.com",),
    "seznam": (".seznam.cz",),
    "yandex": (".yandex.com", ".yandex.net", ".yandex.ru"),
}
# A crowd comes with some thousand browsers.
MOST_REMEMBERED = 4096
_CALLED = re.compile("|".join(map(re.escape, CALLED)))


@lru_cache(MOST_REMEMBERED)
def engine_of(user_agent: str) -> Engine | None:
    """The engine whose robot a client says it is; None where it says nothing of the kind."""
    called = _CALLED.search(user_agent.lower())
    return CALLED[called[0]] if called else None


def is_name_of(engine: Engine, host: str) -> bool:
    """Whether a host has a name of an engine's robots."""
    return host.lower().removesuffix(".").endswith(DOMAINS[engine])
