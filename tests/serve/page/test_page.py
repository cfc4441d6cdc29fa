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


@pytest.fixture(params=SIZES)
def size(request):
    return request.param


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
    page.on("requestfailed", lambda request: page.troubles.append(request.url))
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    yield page
    context.close()


def fits(page):
    """Whether nothing has to be scrolled sideways."""
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_proof_by_clicks(page, size, served):
    page.goto(served.url)
    page.select_option("#examples", "Conjunction commutes")
    page.click("#start")
    page.wait_for_selector(".goal")
    assert "B /\\ A" in page.inner_text(".goal")
    page.wait_for_selector("#suggestions button")
    assert fits(page)
    for _ in range(8):
        page.wait_for_selector("#suggestions button, #verdict.good")
        if page.locator("#verdict.good").count():
            break
        before = page.locator("#tree button").count()
        # A proof if there is one, else the most probable step.
        best = page.locator("#suggestions .proof button")
        (best if best.count() else page.locator("#suggestions button")).first.click()
        page.wait_for_function(
            "!document.querySelector('#suggestion-state').textContent.startsWith('asking')"
        )
        assert page.locator("#tree button").count() >= before
    page.wait_for_selector("#verdict.good")
    assert "no axioms" in page.inner_text("#verdict")
    assert page.inner_text("#script").rstrip().endswith("Qed.")
    assert page.locator("#tree button.proved.current").count() == 1
    assert fits(page)
    if SCREENSHOTS:
        page.screenshot(path=PROJECT_ROOT / f"docs/images/copilot-{size}.png", full_page=size == "phone")
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
    page.wait_for_function("document.querySelector('#message').textContent.includes('no_such_type')")
    assert page.is_hidden("#state")


def test_text_is_never_taken_for_markup(page, served):
    page.goto(served.url)
    page.fill(
        "#text",
        'Require Import String. Open Scope string_scope.\nLemma m : "<img src=x onerror=alert(1)>" = "".',
    )
    page.click("#start")
    page.wait_for_selector(".goal")
    assert "<img" in page.inner_text(".goal")
    assert page.locator(".goal img").count() == 0
