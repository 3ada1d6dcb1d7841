"""What every test may use: the built browser half and a Chromium, each prepared once if wanted.

Both are prepared before the first test, not inside it: a download may take longer than a test may.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from hatch_build import JavaScriptBuildError
from tools import chromium as chromium_tool
from tools import javascript
from tools.chromium import ChromiumNotFoundError
from tools.kernels import jupyter_folders

pytest_plugins = ["tools.browsers"]

# A machine that is busy is no failure.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

prepared = pytest.StashKey[dict[str, object]]()


def _build_javascript() -> Path:
    javascript.ensure_built()
    return javascript.STATIC


def _find_chromium() -> str:
    return chromium_tool.find_or_install(chromium_tool.this_machine())


PREPARATIONS: dict[str, Callable[[], object]] = {
    "static_files": _build_javascript,
    "chromium": _find_chromium,
}


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.getoption("collectonly"):
        return
    wanted = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    results = session.config.stash.setdefault(prepared, {})
    terminal = session.config.get_terminal_writer()
    for name, prepare in PREPARATIONS.items():
        if name in wanted:
            terminal.line(f"preparing {name}", flush=True)
            try:
                results[name] = prepare()
            except (JavaScriptBuildError, ChromiumNotFoundError) as error:
                # All of it once; each test that needed it repeats the sentence at the end.
                terminal.line(str(error))
                results[name] = error


def _prepared(request: pytest.FixtureRequest, name: str) -> object:
    result = request.config.stash[prepared][name]
    if isinstance(result, Exception):
        pytest.fail(str(result).splitlines()[-1], pytrace=False)
    return result


@pytest.fixture(scope="session")
def static_files(request: pytest.FixtureRequest) -> Path:
    """The folder of the browser half, built from js/ as it is now."""
    folder = _prepared(request, "static_files")
    assert isinstance(folder, Path)
    return folder


@pytest.fixture(scope="session")
def chromium(request: pytest.FixtureRequest) -> str:
    """The path of a Chromium that starts."""
    path = _prepared(request, "chromium")
    assert isinstance(path, str)
    return path


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asyncio only: the kernel and the server run on nothing else."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def no_model_of_the_developer() -> Iterator[None]:
    """Tests reach no model: a key or an address in the developer's environment is left out."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [*os.environ]:
            if name.startswith(("OPENAI_", "KERNELCHAT_")):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Jupyter with folders and kernelspecs of the tests' own, here and in child processes."""
    variables = jupyter_folders(tmp_path_factory.mktemp("jupyter"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield variables
