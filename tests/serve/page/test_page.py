"""The page in a real browser, at the width of a desk and of a phone."""

import os
import re
import shutil

import pytest

from ntp.config.paths import PROJECT_ROOT

pytestmark = [pytest.mark.coq, pytest.mark.slow]

SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
SLOWLY_MS = 240_000
# Set to write the screenshots of docs/copilot.md.
SCREENSHOTS = os.environ.get("NTP_SCREENSHOTS")


@pytest.fixture(scope="module")
def browser():
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is missing: make editors")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Chromium's own sandbox does not work for root; the page is ours.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def size():
    return "desktop"


@pytest.fixture
def page(browser, size):
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, has_touch=size == "phone", is_mobile=size == "phone"
    )
    context.grant_permissions([])
    page = context.new_page()
    page.set_default_timeout(SLOWLY_MS)
    page.troubles = []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on("requestfailed", lambda request: failed(page, request))
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    yield page
    context.close()


def failed(page, request):
    """Note a request that failed; those that the page itself has ended did not."""
    if request.failure != "net::ERR_ABORTED":
        page.troubles.append(f"{request.url}: {request.failure}")


def fits(page):
    """Whether nothing has to be scrolled sideways."""
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def is_quiet(page):
    """Wait until no more suggestions come."""
    page.locator("#suggestion-state", has_text="asking").wait_for(state="detached")


@pytest.mark.parametrize("size", SIZES)
def test_a_proof_by_clicks(page, size, served):
    page.goto(served.url)
    page.select_option("#examples", "Conjunction commutes")
    page.click("#start")
    page.wait_for_selector(".goal")
    assert "B /\\ A" in page.inner_text(".goal")
    page.wait_for_selector("#suggestions li:not(.proof) button")
    is_quiet(page)
    assert fits(page)
    num_states = page.locator("#tree button").count()
    page.locator("#suggestions li:not(.proof) button", has_text="intros").first.click()
    page.wait_for_selector("#suggestions .proof button")
    is_quiet(page)
    assert page.locator("#tree button").count() > num_states
    assert "A, B : Prop" in page.inner_text(".goal")
    if SCREENSHOTS and size == "desktop":
        page.screenshot(path=PROJECT_ROOT / "docs/images/copilot-desktop.png")
    page.click("#suggestions .proof button")
    page.wait_for_selector("#verdict.good")
    assert "no axioms" in page.inner_text("#verdict")
    assert page.inner_text("#script").rstrip().endswith("Qed.")
    assert page.locator("#tree button.proved.current").count() == 1
    assert fits(page)
    if SCREENSHOTS and size == "phone":
        page.screenshot(path=PROJECT_ROOT / "docs/images/copilot-phone.png", full_page=True)
    assert page.troubles == []
    assert {re.match(r"\w+://[^/]+/", url)[0] for url in page.asked if url.startswith("http")} == {served.url}


def test_a_search_makes_the_tree_grow_to_a_proof(page, served):
    page.goto(served.url)
    page.select_option("#examples", "Zero on the right")
    page.click("#start")
    page.wait_for_selector("#suggestions button")
    page.click("#search")
    page.wait_for_selector("#verdict.good")
    assert page.locator("#tree button").count() > 1


def test_an_own_tactic_and_a_refused_one(page, served):
    page.goto(served.url)
    page.fill("#text", "Lemma own (n : nat) : n = n.")
    page.click("#start")
    page.wait_for_selector(".goal")
    page.fill("#own-text", "rewrite nothing_of_that_name.")
    page.click("#own button")
    page.wait_for_selector("#tree .failed")
    assert "nothing_of_that_name" in page.inner_text("#message")
    page.fill("#own-text", "reflexivity.")
    page.click("#own button")
    page.wait_for_selector("#verdict.good")


def test_a_faulty_text_is_said_to_be_so(page, served):
    page.goto(served.url)
    page.fill("#text", "Lemma wrong : no_such_type.")
    page.click("#start")
    page.locator("#message", has_text="no_such_type").wait_for()
    assert page.is_hidden("#state")


def test_text_is_never_taken_for_markup(page, served):
    markup = "<img src=x onerror=alert(1)>"
    page.goto(served.url)
    page.fill("#text", f'Require Import String. Open Scope string_scope.\nLemma m : "{markup}" = "".')
    page.click("#start")
    page.wait_for_selector(".goal")
    assert markup in page.inner_text(".goal")
    assert page.locator(".goal img").count() == 0
