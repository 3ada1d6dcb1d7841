"""The wheel: built from a checkout never built before, used where there is no Node and no npm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

import hatch_build
from tools.javascript import ROOT

pytestmark = pytest.mark.timeout(900)

SOURCES = ("pyproject.toml", "README.md", "LICENSE", ".gitignore", "src", "js")
NO_REGISTRY = {"NPM_CONFIG_REGISTRY": "http://127.0.0.1:9", "NPM_CONFIG_FETCH_RETRIES": "0"}

# Runs until its input ends.
USE = """
import json
import sys

from kernelchat import Chat

chat = Chat()
shown = chat._repr_mimebundle_()
print(json.dumps({
    "shown": sorted(shown[0] if isinstance(shown, tuple) else shown),
    "module": len(chat._esm),
    "url": chat.endpoint.url,
    "link": chat.link(),
    "answer": chat.ask("What is kernelchat?").result(timeout=60),
}), flush=True)
sys.stdin.read()
chat.close()
"""


@dataclass(frozen=True)
class Built:
    """A checkout and the wheel that was built from it."""

    tree: Path
    wheel: Path

    def names(self) -> set[str]:
        with zipfile.ZipFile(self.wheel) as archive:
            return set(archive.namelist())


def run(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=None if env is None else {**env},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"{command} failed:\n{done.stdout}\n{done.stderr}", pytrace=False)
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    tree = tmp_path_factory.mktemp("checkout")
    unbuilt = shutil.ignore_patterns("node_modules", "static", "__pycache__")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=unbuilt)
        else:
            shutil.copy(source, tree)
    wheels = tmp_path_factory.mktemp("wheels")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps")
    run(*pip, "--wheel-dir", wheels, tree, cwd=tree)
    (wheel,) = wheels.glob("*.whl")
    return Built(tree, wheel)


@pytest.fixture(scope="module")
def python(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment that holds the wheel and what it requires."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet")
    run(*pip, built.wheel, cwd=folder)
    return python


def test_the_wheel_ships_the_browser_half_and_the_handbook(built: Built) -> None:
    names = built.names()

    assert {f"kernelchat/static/{name}" for name in hatch_build.OUTPUTS} <= names
    for language in ("en", "zh"):
        assert any(name.startswith(f"kernelchat/handbook/{language}/") for name in names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert not any("node_modules" in name or name.endswith((".ts", ".tsx")) for name in names)


@pytest.fixture
def chat(python: Path, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A chat of the installed wheel, in a process that finds no Node and no npm registry."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TMPDIR") if name in os.environ}
    nothing = tmp_path / "path"
    nothing.mkdir()
    with subprocess.Popen(
        [python, "-I", "-c", USE],
        cwd=tmp_path,
        env={**kept, **NO_REGISTRY, "PATH": str(nothing), "HOME": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            if line:
                yield json.loads(line)
        finally:
            _, trouble = process.communicate()
    if process.returncode != 0 or trouble or not line:
        pytest.fail(f"the process ended with {process.returncode}:\n{trouble}", pytrace=False)


def test_the_wheel_shows_a_chat_where_there_is_no_node_and_no_npm(
    built: Built, chat: dict[str, Any], context: BrowserContext
) -> None:
    static = hatch_build.static_folder(built.tree)
    assert "application/vnd.jupyter.widget-view+json" in chat["shown"]
    assert chat["module"] == len((static / "widget.js").read_text("utf-8"))
    assert "kernelchat" in chat["answer"]

    page = context.new_page()
    page.goto(chat["link"])
    page.locator("textarea").fill("What is kernelchat?")
    page.locator("textarea").press("Enter")
    answers = page.locator("[data-role=assistant][data-status=done]")
    expect(answers).to_have_count(2, timeout=60_000)

    for name in ("page.js", "client.js"):
        served = page.request.get(f"{chat['url']}/assets/{name}")
        assert (served.status, served.text()) == (200, (static / name).read_text("utf-8"))


def test_the_sdist_holds_the_sources_and_builds_without_npm(built: Built, tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path, cwd=built.tree)
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"js/src/widget.ts", "js/package-lock.json", "js/hatch_build.py", "LICENSE"} <= names
    assert not any("node_modules" in name for name in names)

    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    env = {**os.environ, **NO_REGISTRY}
    run(*pip, "--wheel-dir", tmp_path, sdist, cwd=tmp_path, env=env)

    (wheel,) = tmp_path.glob("*.whl")
    assert Built(built.tree, wheel).names() == built.names()
