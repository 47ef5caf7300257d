"""A real headless Chromium, and what goes wrong in a page that it shows."""

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
#: What is there once the explorer is done.
EXPLORER = "body[data-ready]"


def executable():
    """The browser as it is installed, or else installed by apt."""
    if not any(map(shutil.which, NAMES)):
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            # In CI these tests are to run.
            fail = pytest.fail if os.environ.get("CI") else pytest.skip
            fail("Chromium is not installed, and to install it root and apt-get are needed")
        subprocess.run([Path(__file__).with_name("apt_install"), "chromium"], check=True)
    return next(filter(None, map(shutil.which, NAMES)))


@contextmanager
def chromium():
    """A browser that is closed in the end."""
    path = executable()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        browser.close()


def value_of(chart):
    """A selector of the values of one of the explorer's maps."""
    return f"#{chart} .mark-rect.role-mark path"


def hover(page, chart, number):
    """What the tooltip says of the value with this number, as {title: value}."""
    return hovered(page, page.locator(value_of(chart)).nth(number))


def hovered(page, mark):
    """What the tooltip of a mark says, as {title: value}."""
    mark.hover()
    tooltip = page.locator("#vg-tooltip-element.visible")
    tooltip.wait_for()
    cells = tooltip.locator("td").all_text_contents()
    page.mouse.move(0, 0)
    return dict(zip((title.rstrip(":") for title in cells[::2]), cells[1::2], strict=True))


def opened(browser, file, ready, fragment=""):
    """A page of a file on disk, and a list of its complaints and of what it asks the network for.

    ready: a selector of what is there once the page is done.
    """
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: (
            request.url.startswith(("file:", "data:", "blob:")) or complaints.append(request.url)
        ),
    )
    page.goto(f"{file.as_uri()}{fragment}")
    page.wait_for_selector(ready)
    return page, complaints
