"""A Stripe of a test's own: localstripe, in a process, behind a door that does what localstripe leaves out."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self
from urllib.request import Request, urlopen

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from tests.servers import free_port, wait_until

SECRET_KEY = "sk_test_of_the_tests"
WEBHOOK_SECRET = "whsec_of_the_tests"
LOGIN = {"Authorization": f"Bearer {SECRET_KEY}"}
VISA = "pm_card_visa"
# Both have to be confirmed by their owner, and then one pays, and the other is declined.
CONFIRMED, CONFIRMED_IN_VAIN = "4000002500003155", "4000008260003178"

# Status, Content-Type and body.
Said = tuple[int, str, bytes]


class PrivateStripe:
    """`url` is its door's: a key that came before is answered as before (docs.stripe.com/api/idempotent_requests), and
    answers get lost while `loses_answers`."""

    def __init__(self, folder: Path) -> None:
        self.loses_answers = False
        self._folder = folder
        self._own_url = f"http://127.0.0.1:{free_port()}"
        self._answers: dict[str, Said] = {}
        app = web.Application()
        app.add_routes([web.route("*", "/{path:.*}", self._pass_on)])
        self._door = TestServer(app)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return str(self._door.make_url("")).rstrip("/")

    async def __aenter__(self) -> Self:
        await self._door.start_server()
        self._session = ClientSession(headers=LOGIN)
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.kill()
        await self._session.close()
        await self._door.close()

    def start(self) -> None:
        """Returns when it answers. It forgets everything with its process."""
        self._folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "localstripe", "--from-scratch", "--port", self._own_url.rpartition(":")[2]]
        with (self._folder / "stripe.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self._is_up)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It keeps its connections, and answers nothing."""
        if self._process:
            os.kill(self._process.pid, signal.SIGSTOP)

    def forget_keys(self) -> None:
        """As after a day."""
        self._answers.clear()

    async def card(self, number: str) -> str:
        """A payment method."""
        typed = {"card[number]": number, "card[exp_month]": "12", "card[exp_year]": "49", "card[cvc]": "123"}
        return str((await self.call("POST", "/v1/payment_methods", type="card", **typed))["id"])

    async def tell(self, url: str) -> None:
        """From now on its events go there."""
        await self.call("POST", "/_config/webhooks/tests", url=url, secret=WEBHOOK_SECRET)

    async def pay(self, intent_id: str, method: str = VISA) -> None:
        """What Stripe's script does with a card that was typed in; that a card is refused is an answer too."""
        await self.call("POST", f"/v1/payment_intents/{intent_id}", payment_method=method)
        await self.call("POST", f"/v1/payment_intents/{intent_id}/confirm")

    async def call(self, method: str, path: str, **data: str) -> Any:
        """Its API: what it answers as JSON."""
        async with self._session.request(method, self._own_url + path, data=data) as response:
            return await response.json(content_type=None)

    async def _pass_on(self, request: web.Request) -> web.Response:
        key = request.headers.get("Idempotency-Key", "")
        if key not in self._answers or not key:
            self._answers[key] = await self._asked(request)
        status, kind, body = self._answers[key]
        if self.loses_answers and request.transport:
            request.transport.abort()
        headers = {"Content-Type": kind, "Access-Control-Allow-Origin": "*"}
        return web.Response(status=status, body=body, headers=headers)

    async def _asked(self, request: web.Request) -> Said:
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        url, body = self._own_url + request.path_qs, await request.read()
        async with self._session.request(request.method, url, headers=headers, data=body) as response:
            return response.status, response.headers["Content-Type"], await response.read()

    def _is_up(self) -> bool:
        try:
            with urlopen(Request(f"{self._own_url}/v1/payment_intents", headers=LOGIN), timeout=5):
                return True
        except OSError:
            return False
