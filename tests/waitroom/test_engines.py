"""Search engines: which robots are recognized by what they call themselves, and which names are theirs."""

from typing import get_args

import pytest

from waitroom.engines import CALLED, DOMAINS, Engine, engine_of, is_name_of

SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4"
CHROME = "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; {}) Chrome/134.0.0.0 Safari/537.36"


def test_every_engine_is_recognized_and_has_names() -> None:
    assert set(CALLED.values()) == set(DOMAINS) == set(get_args(Engine))
    assert all(domain.startswith(".") for domains in DOMAINS.values() for domain in domains)


@pytest.mark.parametrize(
    ("user_agent", "engine"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "google"),
        (CHROME.format("Googlebot/2.1; +http://www.google.com/bot.html"), "google"),
        ("Googlebot-Image/1.0", "google"),
        ("Mozilla/5.0 (compatible; Google-InspectionTool/1.0;)", "google"),
        (CHROME.format("bingbot/2.0; +http://www.bing.com/bingbot.htm"), "bing"),
        (f"{SAFARI} Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)", "apple"),
        ("Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", "yandex"),
        ("Mozilla/5.0 (compatible; YandexImages/3.0; +http://yandex.com/bots)", "yandex"),
        (CHROME.format("Yeti/1.1; +https://naver.me/spd"), "naver"),
        ("Mozilla/5.0 (compatible; Baiduspider-render/2.0; +http://www.baidu.com/search/spider.html)", "baidu"),
        ("Mozilla/5.0 (compatible; SeznamBot/4.0; +http://napoveda.seznam.cz/seznambot-intro/)", "seznam"),
        ("GOOGLEBOT", "google"),
        (f"{SAFARI} Safari/605.1.15", None),
        (
            "Mozilla/5.0 (Linux; Android 10) Chrome/120.0 YaBrowser/24.1 Yowser/2.5 Safari/537.36",
            None,
        ),
        ("Mozilla/5.0 (Linux; Android 14; wv) Chrome/120.0 Mobile Safari/537.36 YandexSearch/24.17", None),
        ("Mozilla/5.0 (Linux; Android 14) NAVER(inapp; search; 1100; 12.4.2)", None),
        ("Mozilla/5.0 (compatible; SomeBot/1.0)", None),
        ("", None),
    ],
)
def test_a_robot_is_recognized_by_what_it_calls_itself(user_agent: str, engine: Engine | None) -> None:
    assert engine_of(user_agent) == engine


@pytest.mark.parametrize(
    ("engine", "host", "is_theirs"),
    [
        ("google", "crawl-66-249-66-1.googlebot.com", True),
        ("google", "Crawl-66-249-66-1.GoogleBot.com.", True),
        ("google", "geo-crawl-1.geo.googlebot.com", True),
        ("google", "google-proxy-66-249-81-1.google.com", False),
        ("google", "1.2.3.4.bc.googleusercontent.com", False),
        ("google", "googlebot.com", False),
        ("google", "xgooglebot.com", False),
        ("google", "crawl.googlebot.com.attacker.example", False),
        ("google", "msnbot-1-2-3-4.search.msn.com", False),
        ("bing", "msnbot-157-55-33-18.search.msn.com", True),
        ("apple", "17-58-101-179.applebot.apple.com", True),
        ("apple", "17-58-101-179.apple.com", False),
        ("yandex", "5-255-253-1.spider.yandex.com", True),
        ("naver", "crawl.110-93-150-1.search.naver.com", True),
        ("baidu", "baiduspider-116-179-32-50.crawl.baidu.com", True),
        ("seznam", "fulltextrobot-77-75-77-1.seznam.cz", True),
    ],
)
def test_a_name_is_an_engines_if_it_ends_in_one_of_its_domains(engine: Engine, host: str, *, is_theirs: bool) -> None:
    assert is_name_of(engine, host) == is_theirs
