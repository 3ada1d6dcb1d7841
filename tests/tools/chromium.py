"""Finds a Chromium for the browser tests, or gets one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLACES = (
    "/usr/bin/chromium",
    "/snap/bin/chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/opt/google/chrome/chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
)
DOWNLOAD_SECONDS = 300.0
CHECK_SECONDS = 60.0


class ChromiumNotFoundError(Exception):
    """There is no Chromium and none could be had; the message says what to do."""


@dataclass(frozen=True)
class System:
    """What the search asks of the machine, so that its decisions can be tested without one."""

    environ: Mapping[str, str]
    which: Callable[[str], str | None]
    run: Callable[[Sequence[str], float], bool]
    """A command and the seconds it may take; whether it succeeded."""
    playwright_browser: Callable[[], str]
    """Where Playwright's own browser lies, or would lie."""
    is_root: bool


def this_machine() -> System:
    """The system that the tests run on."""
    return System(
        environ=os.environ,
        which=shutil.which,
        run=_succeeds,
        playwright_browser=_playwright_browser,
        is_root=hasattr(os, "geteuid") and os.geteuid() == 0,
    )


def find_or_install(system: System) -> str:
    """The path of a Chromium that starts.

    In this order: the environment's CHROMIUM, an installed one, Playwright's own, Playwright's
    download, Debian's package. Raises ChromiumNotFoundError.
    """
    given = system.environ.get("CHROMIUM")
    if given is not None:
        if _starts(system, given):
            return given
        raise ChromiumNotFoundError(
            f"CHROMIUM={given} does not start: set CHROMIUM to the path of a Chromium or Chrome."
        )
    found = _installed(system)
    if found is not None:
        return found
    tried = []
    for name, install in (("Playwright's download", _download), ("apt-get", _install_package)):
        if not install(system):
            tried.append(f"{name} failed")
            continue
        found = _installed(system)
        if found is not None:
            return found
        tried.append(f"{name} brought one that does not start")
    raise ChromiumNotFoundError(
        f"No Chromium for the browser tests: none is installed, {', '.join(tried)}. Install "
        "Chromium or Chrome; if it is in an unusual place, set CHROMIUM= to its path."
    )


def _installed(system: System) -> str | None:
    on_path = (system.which(command) for command in COMMANDS)
    candidates = [*on_path, *PLACES, system.playwright_browser()]
    return next((path for path in candidates if path and _starts(system, path)), None)


def _starts(system: System, path: str) -> bool:
    # Asked to run, not only looked for: a browser without its libraries, and Ubuntu's
    # stand-in for the snap package, both lie there and do not start.
    # On Windows the question would open a window.
    if sys.platform == "win32":
        return Path(path).exists()
    return system.run([path, "--version"], CHECK_SECONDS)


def _download(system: System) -> bool:
    command = [sys.executable, "-m", "playwright", "install", "--no-shell", "chromium"]
    return system.run(command, DOWNLOAD_SECONDS)


def _install_package(system: System) -> bool:
    if system.which("apt-get") is None:
        return False
    become_root: list[str] = [] if system.is_root else ["sudo", "-n"]
    if become_root and not (
        system.which("sudo") and system.run([*become_root, "true"], CHECK_SECONDS)
    ):
        return False
    apt = [*become_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    packages = ["chromium", "fonts-noto-cjk"]
    return system.run([*apt, "update"], DOWNLOAD_SECONDS) and system.run(
        [*apt, "install", "-y", "--no-install-recommends", *packages], DOWNLOAD_SECONDS
    )


def _succeeds(command: Sequence[str], seconds: float) -> bool:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _playwright_browser() -> str:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return playwright.chromium.executable_path
