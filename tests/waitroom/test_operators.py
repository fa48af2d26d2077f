"""What operators see of the origins."""

from pathlib import Path

import aiohttp
from click.testing import CliRunner

from tests.servers import PrivateRedis, free_port
from tests.waitroom.running import Waitroom
from tests.waitroom.visitors import Come
from waitroom.cli_watch import show


async def test_an_origin_that_is_out_is_told_in_status_and_metrics(
    tmp_path: Path, redis: PrivateRedis, come: Come
) -> None:
    waitroom = Waitroom(tmp_path, redis.url, free_port())
    waitroom.set(mode="open", origin={"eject_after": 1, "eject_s": 600})
    url = f"http://127.0.0.1:{waitroom.origin_port}"
    async with waitroom.serving():
        assert [origin["why_not"] for origin in (await waitroom.status())["origins"]] == [""]
        assert (await (await come(waitroom)).get()).status == 502
        state = await waitroom.status()
        assert [(origin["url"], origin["why_not"]) for origin in state["origins"]] == [(url, "ejected")]
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{waitroom.admin_port}/metrics") as response,
        ):
            assert f'waitroom_origin_up{{origin="{url}",room="site"}} 0.0' in await response.text()
    with CliRunner().isolation() as (out, *_):
        show(state)
        assert f"The origin {url} is ejected" in out.getvalue().decode().replace("\n", "")
