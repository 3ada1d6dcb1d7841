"""The search for a Chromium, on machines that are made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from tools.chromium import ChromiumNotFoundError, System, find_or_install

PLAYWRIGHT = "/playwright/chromium/chrome"
APT = "/usr/bin/chromium"


@dataclass
class Machine:
    """A made-up machine: what starts on it, what its installers would bring, what was run."""

    starts: set[str] = field(default_factory=set)
    commands: dict[str, str] = field(default_factory=dict)
    download_brings: str | None = None
    package_brings: str | None = None
    sudo_works: bool = False
    ran: list[str] = field(default_factory=list)

    def run(self, command: Sequence[str], seconds: float) -> bool:
        line = " ".join(command)
        self.ran.append(line)
        if line.endswith(" --version"):
            return command[0] in self.starts
        if "playwright install" in line:
            return self._install(self.download_brings, PLAYWRIGHT)
        if "apt-get install" in line:
            self.commands["chromium"] = APT
            return self._install(self.package_brings, APT)
        if line == "sudo -n true":
            return self.sudo_works
        return "apt-get update" in line

    def _install(self, brings: str | None, path: str) -> bool:
        if brings == "working":
            self.starts.add(path)
        return brings is not None

    def system(self, *, is_root: bool = False, **environ: str) -> System:
        return System(environ, self.commands.get, self.run, lambda: PLAYWRIGHT, is_root)

    @property
    def installed_anything(self) -> bool:
        return any("install" in line for line in self.ran)


def test_the_one_named_by_the_environment_comes_first() -> None:
    machine = Machine(starts={"/opt/mine", APT}, commands={"chromium": APT})

    assert find_or_install(machine.system(CHROMIUM="/opt/mine")) == "/opt/mine"


def test_one_named_by_the_environment_that_does_not_start_is_never_replaced() -> None:
    machine = Machine(starts={APT}, commands={"chromium": APT})

    with pytest.raises(ChromiumNotFoundError, match=r"CHROMIUM=/opt/gone does not start: set"):
        find_or_install(machine.system(CHROMIUM="/opt/gone"))


def test_an_installed_one_is_taken_before_playwrights_own() -> None:
    machine = Machine(
        starts={"/usr/bin/google-chrome", PLAYWRIGHT},
        commands={"google-chrome": "/usr/bin/google-chrome"},
    )

    assert find_or_install(machine.system()) == "/usr/bin/google-chrome"
    assert not machine.installed_anything


def test_one_that_lies_there_but_does_not_start_is_passed_over() -> None:
    machine = Machine(starts={PLAYWRIGHT}, commands={"chromium-browser": "/usr/bin/snap-stand-in"})

    assert find_or_install(machine.system()) == PLAYWRIGHT


def test_playwright_downloads_one_where_there_is_none() -> None:
    machine = Machine(download_brings="working", package_brings="working")

    assert find_or_install(machine.system(is_root=True)) == PLAYWRIGHT
    assert not any("apt-get" in line for line in machine.ran)


@pytest.mark.parametrize("download", [None, "broken"])
def test_debians_package_is_next_for_root(download: str | None) -> None:
    machine = Machine(
        commands={"apt-get": "/usr/bin/apt-get"},
        download_brings=download,
        package_brings="working",
    )

    assert find_or_install(machine.system(is_root=True)) == APT
    assert not any(line.startswith("sudo") for line in machine.ran)


def test_debians_package_is_next_with_sudo_that_asks_for_no_password() -> None:
    machine = Machine(
        commands={"apt-get": "/usr/bin/apt-get", "sudo": "/usr/bin/sudo"},
        package_brings="working",
        sudo_works=True,
    )

    assert find_or_install(machine.system()) == APT
    assert all(line.startswith("sudo -n ") for line in machine.ran if "apt-get" in line)


def test_packages_are_left_alone_where_they_may_not_be_installed() -> None:
    machine = Machine(
        commands={"apt-get": "/usr/bin/apt-get", "sudo": "/usr/bin/sudo"},
        package_brings="working",
    )

    with pytest.raises(ChromiumNotFoundError):
        find_or_install(machine.system())
    assert not any("apt-get" in line for line in machine.ran)


def test_where_nothing_helps_the_sentence_says_what_was_tried_and_what_to_do() -> None:
    machine = Machine(
        commands={"apt-get": "/usr/bin/apt-get"},
        download_brings=None,
        package_brings="broken",
    )

    with pytest.raises(ChromiumNotFoundError) as failure:
        find_or_install(machine.system(is_root=True))
    assert str(failure.value) == (
        "No Chromium for the browser tests: none is installed, Playwright's download failed, "
        "apt-get brought one that does not start. Install Chromium or Chrome; if it is in an "
        "unusual place, set CHROMIUM= to its path."
    )
