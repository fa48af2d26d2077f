"""The configuration file: every fault is named, at once, with its place; and nothing else is."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.servers import Authority
from waitroom import settings, store_url
from waitroom.errors import ConfigError
from waitroom.explain import explain, warnings
from waitroom.languages import codes
from waitroom.origin_terms import OriginTerms
from waitroom.wire.limits import WireLimits

LEAST = 'version = 1\n[[rooms]]\nname = "site"\norigins = ["http://origin:80"]\n'
SHIPPED = sorted((Path(__file__).parents[2] / "config").glob("*.toml"))


def faults(text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        settings.parse(text, "waitroom.toml")
    return {fault.where: fault.what for fault in caught.value.faults}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_the_shipped_files_are_valid(path: Path) -> None:
    settings.load(path)


def test_a_room_needs_a_name_and_an_origin_only() -> None:
    room = next(iter(settings.parse(LEAST, "waitroom.toml").to_rooms(5)))
    assert (room.title, room.audience, room.limits.mode, room.limits.burst) == ("site", "site", "auto", 11)


def test_all_faults_are_named_at_once() -> None:
    text = LEAST + 'cap = 0\nmode = "fast"\nrate_per_minute = "many"\n'
    assert set(faults(text)) == {"rooms[1].cap", "rooms[1].mode", "rooms[1].rate_per_minute"}


def test_of_very_many_faults_the_first_fifty_are_named() -> None:
    found = faults("version = 1\n" + "[[rooms]]\n" * 40)
    assert len(found) == 51
    assert found["the file"] == "has 30 faults more"


@pytest.mark.parametrize(
    ("line", "where", "what"),
    [
        ("cap = 0", "rooms[1].cap", "0: should be greater than or equal to 1"),
        ("cap = true", "rooms[1].cap", "True: should be a whole number"),
        ("cap = 2.5", "rooms[1].cap", "2.5: should be a whole number"),
        ('mode = "fast"', "rooms[1].mode", "'fast': should be 'auto', 'queue', 'hold', 'open' or 'closed'"),
        ('language = "tlh"', "rooms[1].language", f"'tlh': should be one of {', '.join(codes())}"),
        ("rates = 3", "rooms[1].rates", "there is no such setting"),
        ('hosts = ["Shop.example"]', "rooms[1].hosts[1]", "lower case"),
        ('hosts = ["a:80"]', "rooms[1].hosts[1]", "without port"),
        ('paths = ["buy"]', "rooms[1].paths[1]", 'should start with "/"'),
        ('paths = ["/a/{id}"]', "rooms[1].paths[1]", "plain path"),
        ('paths = ["/a-{key}/*"]', "rooms[1].paths[1]", "as a whole segment"),
        ('paths = ["/{key}/{key}"]', "rooms[1].paths[1]", "may have one {key}"),
        ('paths = ["/a/{key}", "/b"]', "rooms[1]", "either all of the paths have {key}, or none"),
        ('key_pattern = "["', "rooms[1].key_pattern", "should be a regular expression"),
        ('paths = ["/{key}"]\nidle_s = 60', "rooms[1]", "idle_s = 60 should not be shorter than session_s"),
        ("opens_at = 2027-03-01T09:00:00", "rooms[1].opens_at", "should say its time zone"),
        (
            "opens_at = 2027-03-01T09:00:00Z\ncloses_at = 2027-03-01T09:00:00Z",
            "rooms[1]",
            "closes_at should be after opens_at",
        ),
        ('draw = "sale"', "rooms[1]", "draw needs opens_at"),
        ('draw = "a~b"', "rooms[1].draw", "should have 1 to 40 small letters"),
        ('on_store_loss = "panic"', "rooms[1].on_store_loss", "'hold', 'open' or 'closed'"),
        ("[rooms.identity]", "rooms[1].identity", "either a header or a cookie"),
        ('[rooms.identity]\ncookie = "id"\nclaim = "sub"', "rooms[1].identity", "claim and key_file go together"),
        (
            '[rooms.identity]\ncookie = "id"\nclaim = "sub"\nkey_file = "k"\nalgorithms = ["HS256", "EdDSA"]',
            "rooms[1].identity",
            "never both",
        ),
        ('paths = ["/a/../b"]', "rooms[1].paths[1]", "plain path"),
        ('cors_origins = ["*"]', "rooms[1].cors_origins[1]", "'*': should be an origin as browsers send it"),
        ('cors_origins = ["https://a", "https://b/"]', "rooms[1].cors_origins[2]", "without a path"),
        ('cors_origins = ["https://Shop.example"]', "rooms[1].cors_origins[1]", "in lower case"),
        ('cors_origins = ["https://a:443"]', "rooms[1].cors_origins[1]", "the port that goes without saying"),
        ('cors_origins = ["shop.example"]', "rooms[1].cors_origins[1]", '"http://localhost:3000"'),
        ("paths = []", "rooms[1].paths", "at least 1 item"),
        ("burst = 2", "rooms[1]", "it should be at least 4"),
        ("session_s = 10", "rooms[1]", "session_s = 10 should not be shorter than claim_s = 60"),
        ('[server]\nlisten = ["8080"]', "server.listen[1]", "'8080': should be \"host:port\""),
        ('[server]\ntrusted_proxies = ["10.0.0.1/8"]', "server.trusted_proxies[1]", "has host bits set"),
        ('[store]\nurl = "http://redis"', "store.url", "redis://"),
        ("[store]\ntimeout_ms = 10", "store.timeout_ms", "10: should be greater than or equal to 50"),
    ],
)
def test_a_fault_says_where_what_and_what_would_be_right(line: str, where: str, what: str) -> None:
    assert what in faults(f"{LEAST}{line}\n")[where]


def test_two_rooms_of_one_name_are_refused() -> None:
    assert "used twice: site" in faults(LEAST + '[[rooms]]\nname = "site"\norigins = ["http://b"]\n')["the file"]


def test_a_file_that_is_not_toml_is_named_with_the_line() -> None:
    assert "line 2" in faults("version = 1\nrooms = = 2\n")["the file"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        settings.load(tmp_path / "nowhere.toml")


def test_no_error_shows_the_password_of_the_store() -> None:
    assert "hunter2" not in repr(settings.parse(LEAST + '[store]\nurl = "redis://:hunter2@r"\n', "x"))
    assert "hunter2" not in str(faults(LEAST + '[store]\nurl = "http://:hunter2@r"\n'))
    assert "hunter2" not in str(faults('store = "redis://:hunter2@r"\n' + LEAST))


@pytest.mark.parametrize(
    ("url", "kind", "hosts", "name", "db"),
    [
        ("redis://cache", "server", [("cache", 6379)], "", 0),
        ("redis://cache:6380/3", "server", [("cache", 6380)], "", 3),
        ("rediss://[::1]:7000/?db=2&ssl_check_hostname=no", "server", [("::1", 7000)], "", 2),
        ("unix:///run/redis.sock?db=1", "socket", [], "/run/redis.sock", 1),
        ("redis+sentinel://a/shop", "sentinel", [("a", 26379)], "shop", 0),
        ("rediss+sentinel://a:1,[::2]:3,c/shop?db=4", "sentinel", [("a", 1), ("::2", 3), ("c", 26379)], "shop", 4),
        ("redis+cluster://a,b:7001", "cluster", [("a", 6379), ("b", 7001)], "", 0),
        ("rediss+cluster://a/?ssl_ca_certs=/ca.pem", "cluster", [("a", 6379)], "", 0),
    ],
)
def test_a_store_is_one_redis_or_sentinels_or_a_cluster(
    url: str, kind: str, hosts: list[tuple[str, int]], name: str, db: int
) -> None:
    given = settings.parse(f"{LEAST}[store]\nurl = {url!r}\n", "x").store.url
    read = store_url.parse(given.get_secret_value())
    assert (read.kind, list(read.hosts), read.name, read.db) == (kind, hosts, name, db)
    assert read.secure == url.startswith("rediss")


def test_a_store_has_a_login_and_certificates() -> None:
    read = store_url.parse(
        "rediss+sentinel://me:a%2Fb@h/m?ssl_ca_certs=%2Fca&ssl_check_hostname=False&sentinel_username=you&sentinel_password=c%26d"
    )
    assert (read.username, read.password) == ("me", "a/b")
    assert (read.sentinel_username, read.sentinel_password) == ("you", "c&d")
    assert read.tls == {"ssl_ca_certs": "/ca", "ssl_check_hostname": False}
    assert "a/b" not in repr(read)
    assert "c&d" not in repr(read)


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("redis:/hunter2@r", "start with redis://, rediss://, unix://, redis+sentinel://"),
        ("redis://:hunter2@", "each host as"),
        ("redis://:hunter2@r:0", "port from 1 to 65535"),
        ("redis://:hunter2@r:65536", "port from 1 to 65535"),
        ("redis://:hunter2@r:1:2", "port from 1 to 65535"),
        ("redis+cluster://:hunter2@a,,b", "each host as"),
        ("redis://:hunter2@a,b", "redis+sentinel:// or redis+cluster:// where it names several hosts"),
        ("redis://:hunter2@r/first", "database as a number"),
        ("redis://:hunter2@r?db=-1", "database as a number"),
        ("redis://:hun/ter2@r", "%2F"),
        ("redis://:hun?ter2@r", "%3F"),
        ("redis://:hun#ter2@r", "%23"),
        ("redis://:hunter2@r?ssl_ca_certs=ca", "has an option 'ssl_ca_certs': redis:// knows db"),
        ("rediss://:hunter2@r?timeout=3", "rediss:// knows db, ssl_ca_certs"),
        ("rediss://:hunter2@r?ssl_ca_certs=", "without a value"),
        ("rediss://:hunter2@r?ssl_check_hostname=perhaps", "true or false"),
        ("redis+sentinel://:hunter2@a:26379", "name of the master"),
        ("redis+sentinel://:hunter2@a:26379/one/two", "name of the master"),
        ("redis+cluster://:hunter2@a/1", "a cluster has no databases"),
        ("redis+cluster://:hunter2@a?db=1", "has an option 'db': redis+cluster:// knows none"),
        ("unix://run/hunter2.sock", "three slashes"),
        ("unix://", "the path of a socket"),
    ],
)
def test_a_wrong_store_is_told_without_its_password(url: str, right: str) -> None:
    told = faults(f"{LEAST}[store]\nurl = {url!r}\n")["store.url"]
    assert right in told
    assert "hunter2" not in told
    assert "ter2" not in told


@pytest.fixture
def pair(tmp_path: Path) -> dict[str, Path]:
    """A certificate and its key, the authority's, and a key of another."""
    one, other = Authority(tmp_path / "one"), Authority(tmp_path / "other")
    return {"certificate": one.certificate, "key": one.key, "ca": one.ca, "other": other.key}


def test_what_a_server_and_its_origins_are_told_reaches_them_as_values(pair: dict[str, Path]) -> None:
    read = settings.parse(
        LEAST.replace('"http://origin:80"', '"https://origin", "unix:/run/site.sock"')
        + f'[rooms.origin]\nconnect_s = 0.5\nhealth_path = "/healthz?deep=1"\nca_file = "{pair["ca"]}"\n'
        + f'certificate = "{pair["certificate"]}"\nkey = "{pair["key"]}"\n'
        + '[server]\nlisten = []\nworkers = 4\nproxy_protocol = ["10.0.0.0/8"]\n'
        + f'[server.tls]\ncertificate = "{pair["certificate"]}"\nkey = "{pair["key"]}"\n'
        + "[server.limits]\nhead_s = 2\nbody_bytes = 1_000\n",
        "x",
    )
    assert read.server.limits.to_limits() == WireLimits(head_s=2, body_bytes=1_000)
    room = next(iter(read.to_rooms(5)))
    assert room.origins == ("https://origin", "unix:/run/site.sock")
    assert room.origin_terms == OriginTerms(
        connect_s=0.5,
        health_path="/healthz?deep=1",
        ca_file=str(pair["ca"]),
        certificate=str(pair["certificate"]),
        key=str(pair["key"]),
    )
    told = "\n".join(explain(read))
    assert "listens on 0.0.0.0:8443 (TLS), for operators on 127.0.0.1:9180" in told
    assert "4 workers serve" in told
    assert "Connections from 10.0.0.0/8 must begin with a PROXY header" in told


def test_without_settings_of_its_own_a_part_has_the_defaults_that_it_names() -> None:
    read = settings.parse(LEAST, "x")
    assert read.server.limits.to_limits() == WireLimits()
    assert next(iter(read.to_rooms(5))).origin_terms == OriginTerms()


def test_a_room_for_forward_auth_alone_has_no_origins() -> None:
    read = settings.parse(LEAST.replace('"http://origin:80"', ""), "x")
    assert next(iter(read.to_rooms(5))).origins == ()
    assert "is only asked of by forward-auth" in "\n".join(explain(read))
    assert "name yours in server.trusted_proxies" in "\n".join(warnings(read))


@pytest.mark.parametrize(
    "origin",
    ["unix:run/site.sock", "unix:", "unix:///run/", "http://", "http://a:0", "http://a:b", "http://u@a", "ftp://a"],
)
def test_an_origin_is_a_host_or_a_socket(origin: str) -> None:
    assert 'should be "' in faults(LEAST.replace("http://origin:80", origin))["rooms[1].origins[1]"]


@pytest.mark.parametrize(
    ("table", "where", "what"),
    [
        ("[server]\nworkers = 0", "server.workers", "0: should be greater than or equal to 1"),
        ("[server]\nworkers = 65", "server.workers", "65: should be less than or equal to 64"),
        ("[server]\nlisten = []", "server", "listen should have at least one address"),
        ('[server]\nlisten = ["::1:80"]', "server.listen[1]", '"[::1]:8080"'),
        ('[server]\nlisten = ["a:1", "a:1"]', "the file", "used twice: a:1"),
        ('[server]\nlisten = ["127.0.0.1:9180"]', "the file", "used twice: 127.0.0.1:9180"),
        ('[server]\nproxy_protocol = ["lb"]', "server.proxy_protocol[1]", "an address or a network"),
        ("[server]\ndrain_s = -1", "server.drain_s", "greater than or equal to 0"),
        ('[server]\naccess_log = "/no/such/folder/log"', "server.access_log", "in a folder that exists"),
        ("[server.limits]\nhead_s = 0", "server.limits.head_s", "0: should be greater than or equal to 0.1"),
        ("[server.limits]\nidle_s = inf", "server.limits.idle_s", "less than or equal to 86400"),
        ("[server.limits]\nidle_s = nan", "server.limits.idle_s", "less than or equal to 86400"),
        ("[server.limits]\nbody_s = true", "server.limits.body_s", "True: should be a number"),
        ("[server.limits]\nbody_bytes = -1", "server.limits.body_bytes", "greater than or equal to 0"),
        ("[server.limits]\nfields_count = 1", "server.limits.fields_count", "greater than or equal to 10"),
        ("[server.tls]", "server.tls.certificate", "is required"),
        ('[server.tls]\ncertificate = "/no"\nkey = "/no"', "server.tls", "can't be read: No such file"),
        ('[server.tls]\ncertificate = "{certificate}"\nkey = "{other}"', "server.tls", "can't be used together"),
        ("[rooms.origin]\nconnections = 0", "rooms[1].origin.connections", "greater than or equal to 1"),
        ("[rooms.origin]\nhealth_timeout_s = 9", "rooms[1].origin", "should not be longer than health_interval_s"),
        ('[rooms.origin]\nhealth_path = "up"', "rooms[1].origin.health_path", '"/healthz"'),
        ('[rooms.origin]\nserver_name = "a:1"', "rooms[1].origin.server_name", "without port"),
        ('[rooms.origin]\nkey = "{key}"', "rooms[1].origin", "certificate and key go together"),
        ('[rooms.origin]\nca_file = "/no"', "rooms[1].origin", "ca_file = '/no' can't be used"),
        ('[rooms.origin]\nca_file = "{key}"', "rooms[1].origin", "can't be used"),
        ('[rooms.origin]\nca_file = "{ca}"\nverify = false', "rooms[1].origin", "means nothing with verify = false"),
        (
            '[rooms.origin]\ncertificate = "{certificate}"\nkey = "{other}"',
            "rooms[1].origin",
            "can't be used together",
        ),
    ],
)
def test_a_fault_of_server_and_origins_says_where_and_what(
    table: str, where: str, what: str, pair: dict[str, Path]
) -> None:
    for name, path in pair.items():
        table = table.replace(f"{{{name}}}", str(path))
    assert what in faults(f"{LEAST}{table}\n")[where]


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_password(pair: dict[str, Path]) -> None:
    key = serialization.load_pem_private_key(pair["key"].read_bytes(), None)
    sealed = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"word")
    )
    pair["key"].write_bytes(sealed)
    table = f'[server.tls]\ncertificate = "{pair["certificate"]}"\nkey = "{pair["key"]}"\n'
    assert "the key is encrypted" in faults(LEAST + table)["server.tls"]
