"""What holds of all pages: how they fail, what they are kept from, and that each form is carried out once."""

import re

import pytest

from tests.booking.bench import Visitor
from tests.booking.conftest import Site
from tests.booking.forms import fill_in, forms_of

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_what_is_not_there_is_a_page_for_people_and_a_document_for_apps(ada: Visitor) -> None:
    page, document = await ada.page("/nowhere"), await ada.get("/api/nowhere")
    assert (page.status, document.status) == (404, 404)
    assert 'id="problem"' in page.text
    assert document.code == "not_found"


async def test_each_form_has_a_key_of_its_own_each_time(site: Site, ada: Visitor, flight_id: int) -> None:
    pages = [await ada.page(f"/flights/{flight_id}") for _ in range(2)]
    keys = [dict(fields)["idempotency_key"] for page in pages for fields in forms_of(page).forms.values()]
    assert len(keys) == len(set(keys)) == 6


async def test_forms_lead_nowhere_but_here_and_to_the_bank(site: Site, ada: Visitor) -> None:
    policy = (await ada.page("/")).headers["Content-Security-Policy"]
    assert f"form-action 'self' {site.bank.url};" in policy
    assert "script-src 'self';" in policy
    assert "connect-src 'self';" in policy


async def test_pages_load_nothing_but_what_is_here_and_have_no_script_in_them(ada: Visitor, flight_id: int) -> None:
    for path in ("/", f"/flights/{flight_id}", "/account", "/trips"):
        text = (await ada.page(path)).text
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', text)
        assert not re.search(r"<script(?! src=)|<style| style=| on\w+=", text)


async def test_files_may_be_kept_for_ever_since_their_address_changes_with_them(site: Site, ada: Visitor) -> None:
    page = await ada.page("/")
    asset = re.search(r'href="(/static/style\.css\?v=\w+)"', page.text)
    assert asset
    assert (await site.stranger().get(asset[1])).headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert page.headers["Cache-Control"] == "private, no-store"


async def test_a_page_of_another_session_sends_nothing(ada: Visitor, grace: Visitor) -> None:
    """The form of one browser does not go through in another."""
    answer = await fill_in(grace, await ada.page("/account"), "/account/name", name="Mallory")
    assert answer.status == 403
