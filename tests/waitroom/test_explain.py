"""A configuration in words: what it means, in figures, and what in it will hurt, with the remedy."""

import pytest

from waitroom import settings
from waitroom.explain import explain, warnings
from waitroom.explain.quantities import duration, pace

LEAST = 'version = 1\n[[rooms]]\nname = "site"\norigins = ["http://origin:80"]\n'
# Nothing of this will hurt.
SOUND = (
    "version = 1\n"
    '[server]\nlisten = ["127.0.0.1:8080"]\n'
    '[keys]\nadmission = ["new.pem", "old.pem"]\nticket = ["new.secret", "old.secret"]\n'
    '[[rooms]]\nname = "site"\norigins = ["http://origin:80"]\ncap = 6000\n'
)


def told(text: str) -> str:
    return "\n".join(explain(settings.parse(text, "waitroom.toml")))


def warned(text: str) -> list[str]:
    return list(warnings(settings.parse(text, "waitroom.toml")))


def test_a_configuration_is_explained_in_words() -> None:
    """1,200 places free up in 120 s: the cap never binds at 10 a second."""
    text = told(LEAST + "cap = 1200\nsession_s = 120\n")
    assert "Room 'site' guards /* on *, before http://origin:80." in text
    assert "Up to 1,200 inside at once, 10 a second (600 calls a minute); a lease lasts 2 minutes" in text
    assert "A crowd of 50,000 waits 83 minutes: the rate binds, even if everybody stays a whole lease." in text
    assert "an embedded Redis" in text


def test_where_the_cap_binds_both_waits_are_told() -> None:
    text = told(LEAST)
    assert "A crowd of 50,000 waits 83 minutes if visitors stay up to 20 seconds: the rate binds." in text
    assert "If they stay a whole lease, the cap binds: 20 a minute follow, and the crowd waits 42 hours." in text


def test_which_robots_and_scripts_may_do_what_is_told() -> None:
    text = told(LEAST + 'crawlers = ["google", "naver"]\ncors_origins = ["https://app.example"]\n')
    assert (
        "Robots of google, naver pass without a place, once DNS has confirmed their addresses; others get 503." in text
    )
    assert "Scripts of https://app.example may ask for the place." in text
    assert "Robots of search engines are told to come back later (503)" in told(LEAST)
    assert "Scripts" not in told(LEAST)


@pytest.mark.parametrize("mode", ["hold", "open", "closed"])
def test_no_wait_is_told_where_nobody_is_called(mode: str) -> None:
    assert "crowd" not in told(f'{LEAST}mode = "{mode}"\n')


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 second"),
        (90, "90 seconds"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (5_000, "83 minutes"),
        (7_200, "2 hours"),
        (150_000, "42 hours"),
        (1_036_800, "12 days"),
        (86_400_000, "1,000 days"),
    ],
)
def test_a_time_is_told_in_the_unit_that_people_think_in(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("per_minute", "words"),
    [
        (1, "1 a minute"),
        (2.5, "2.5 a minute"),
        (59, "59 a minute"),
        (60, "1 a second"),
        (700, "11.7 a second"),
        (600_000, "10,000 a second"),
    ],
)
def test_a_pace_is_told_in_the_unit_that_people_think_in(per_minute: float, words: str) -> None:
    assert pace(per_minute) == words


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("redis://:hunter2@cache/1", "kept in the Redis at cache:6379."),
        ("unix:///run/redis.sock", "kept in the Redis at /run/redis.sock."),
        ("redis+sentinel://:hunter2@a,b/shop", "kept in the Redis 'shop' that the sentinels a:26379, b:26379 name."),
        ("redis+cluster://:hunter2@a,b:7001", "kept in the Redis cluster of a:6379, b:7001."),
    ],
)
def test_the_store_is_told_without_its_login(url: str, where: str) -> None:
    text = told(f'{LEAST}[store]\nurl = "{url}"\n')
    assert where in text
    assert "hunter2" not in text


def test_lines_of_keys_openings_persons_and_losses_are_explained_too() -> None:
    text = told(
        LEAST + 'paths = ["/flights/{key}/*"]\nopens_at = 2027-03-01T09:00:00+09:00\n'
        "closes_at = 2027-03-01T09:00:00Z\n"
        'draw = "sale"\ndraw_size = 5000\non_store_loss = "open"\nloss_cap = 7\n'
        '[rooms.identity]\ncookie = "session"\nrequired = true\n'
    )
    assert "at most 1,000 lines, and one that nobody asks for is forgotten after 3,600 s" in text
    assert (
        "It opens at 2027-03-01 00:00:00 UTC; those who come before are drawn (5,000 places by the draw 'sale')" in text
    )
    assert "It closes at 2027-03-01 09:00:00 UTC" in text
    assert "known by the cookie 'session'; who has none is refused" in text
    assert "each process lets up to 7 in by itself" in text


def test_a_rate_that_follows_the_origins_is_explained() -> None:
    text = told(LEAST + "[rooms.adaptive]\nrate_min = 30\ntarget_ms = 400\n")
    assert "The rate follows the origins, between 30 and 600 calls a minute, so that 95 % of their" in text


def test_a_sound_configuration_is_not_warned_of() -> None:
    assert warned(SOUND) == []


@pytest.mark.parametrize(
    ("right", "wrong", "hurts", "remedy"),
    [
        ("cap = 6000", "cap = 10", "cap = 10 lets only 1 a minute follow, not 10 a second", "raise cap to 6,000"),
        (
            "cap = 6000",
            "cap = 6000\npresence_s = 30",
            "presence_s = 30 is shorter than what browsers leave a page in the background",
            "set 60 or more",
        ),
        (
            "cap = 6000",
            "cap = 6000\npolls_per_second = 1000",
            "with presence_s = 60 a line of 50,000 sends 2,500 polls a second, more than polls_per_second = 1,000",
            "raise presence_s to 150",
        ),
        (
            "cap = 6000",
            "cap = 6000\nstatus_s = 5",
            "with presence_s = 60 pages must ask the line itself so often that its status",
            "raise presence_s to 600",
        ),
        (
            "cap = 6000",
            "cap = 6000\nclaim_s = 301",
            "who was called and does not come holds a place for claim_s = 301",
            "shorten it to 60",
        ),
        ("cap = 6000", 'cap = 6000\nbypass = ["/*"]', "bypass lets everybody pass", "name only what must not wait"),
        (
            "cap = 6000",
            'cap = 6000\n[[rooms]]\nname = "buy"\norigins = ["http://a"]\ncap = 6000\npaths = ["/buy/{key}"]',
            "room 'buy': is never reached, since room 'site' before it guards all of its paths",
            "put it first",
        ),
        (
            "cap = 6000",
            "cap = 6000\n[rooms.origin]\nverify = false",
            "verify = false believes whoever answers",
            "name their authority in ca_file",
        ),
        (
            "cap = 6000",
            'cap = 6000\n[rooms.identity]\nheader = "X-User"',
            "whoever can send the header X-User is believed",
            "have a proxy in front replace it, or verify a claim",
        ),
        (
            "cap = 6000",
            'cap = 6000\n[rooms.identity]\ncookie = "account"',
            "whoever makes some up has as many places",
            "a claim of a signed token can't be made up",
        ),
        (
            '"http://origin:80"',
            "",
            "room 'site' has no origins, and no proxy may ask of it",
            "name yours in server.trusted_proxies",
        ),
        (
            '"127.0.0.1:8080"',
            '"0.0.0.0:8080"',
            "server.listen has 0.0.0.0:8080: visitors come there by plain HTTP",
            "serve [server.tls] instead, or, where a proxy before it speaks TLS, name that in server.trusted_proxies",
        ),
        (
            "[keys]",
            '[admin]\nlisten = "[::]:9180"\n[keys]',
            "admin.listen = '[::]:9180' can be reached from other machines",
            'listen on "127.0.0.1:9180"',
        ),
        (
            "[keys]",
            'trusted_proxies = ["10.0.0.0/8"]\n[keys]',
            "the embedded Redis serves this machine only",
            "name one Redis for all in [store] url",
        ),
        (
            "[keys]",
            'trusted_proxies = ["::/0"]\n[store]\nurl = "redis://r"\n[keys]',
            "server.trusted_proxies has ::/0: whoever connects can claim any address",
            "name the networks of your proxies only",
        ),
        (
            "[keys]",
            'proxy_protocol = ["0.0.0.0/0"]\n[store]\nurl = "redis://r"\n[keys]',
            "server.proxy_protocol has 0.0.0.0/0: whoever connects can claim any address",
            "name the networks of your proxies only",
        ),
        ('"new.pem", "old.pem"', "", "development keys are used", "make a pair with `waitroom keys`"),
        ('"new.pem", "old.pem"', '"new.pem"', "keys.admission has one key", "make a spare with `waitroom keys --out"),
        ('"new.secret", "old.secret"', '"a"', "keys.ticket has one key", "and name it second"),
    ],
)
def test_what_will_hurt_is_warned_of_with_its_remedy(right: str, wrong: str, hurts: str, remedy: str) -> None:
    assert right in SOUND
    found = warned(SOUND.replace(right, wrong))
    assert any(hurts in warning and remedy in warning for warning in found), found
    assert all(": " in warning or ";" in warning for warning in found)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('hosts = ["a.example"]', ""),
        ('paths = ["/buy/*"]', 'paths = ["/*"]'),
        ('paths = ["/buy/{key}"]', 'paths = ["/buy/*"]'),
        ('paths = ["/a/*"]', 'paths = ["/a/*", "/b"]'),
    ],
)
def test_a_room_of_which_something_is_left_is_not_warned_of(first: str, second: str) -> None:
    text = SOUND + f'{first}\n[[rooms]]\nname = "more"\norigins = ["http://a"]\ncap = 6000\n{second}\n'
    assert warned(text) == []


def test_tls_and_proxies_that_are_named_are_not_warned_of() -> None:
    text = SOUND.replace(
        '["127.0.0.1:8080"]', '["0.0.0.0:8080"]\ntrusted_proxies = ["10.0.0.0/8"]\n[store]\nurl = "redis://r"'
    )
    assert warned(text) == []
