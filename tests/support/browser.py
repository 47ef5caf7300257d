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


def opened(browser, file, ready, fragment="", size=(1300, 900), **options):
    """A page of a file on disk, and a list of its complaints and of what it asks the network for.

    ready: a selector of what is there once the page is done.
    size: width and height of the window.
    options: of `browser.new_page`.
    """
    width, height = size
    page = browser.new_page(viewport={"width": width, "height": height}, **options)
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


def busy(page):
    """Seconds of a processor that the page's main thread has taken, from its beginning."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    metrics = {
        each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]
    }
    session.detach()
    return metrics["ThreadTime"]
