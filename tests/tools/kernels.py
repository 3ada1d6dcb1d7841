"""Kernels that run this environment's kernelchat on ipykernel 6 or 7, and notebooks run on them.

The two differ in what a busy kernel still hears, so what depends on that is tested on both.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

IPYKERNEL_6 = "6.31.0"
KERNELS = ("ipykernel6", "ipykernel7")
"""The names of the kernelspecs; `python3` is there as well, and is the environment's own."""

CACHE = Path(__file__).parents[2] / ".cache"


def write_kernelspecs(data_folder: Path) -> None:
    """Puts the kernelspecs of KERNELS and `python3` into a Jupyter data folder."""
    for name, variables in (
        ("python3", {}),
        ("ipykernel7", {}),
        ("ipykernel6", {"PYTHONPATH": str(_ipykernel_6())}),
    ):
        spec = {
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": name,
            "language": "python",
            "env": variables,
        }
        folder = data_folder / "kernels" / name
        folder.mkdir(parents=True)
        (folder / "kernel.json").write_text(json.dumps(spec), "utf-8")


def jupyter_folders(root: Path) -> dict[str, str]:
    """Makes Jupyter folders of our own below `root`; the variables that make Jupyter use them.

    The developer's own settings and kernels must not decide what the tests find.
    """
    folders = {
        "JUPYTER_CONFIG_DIR": root / "config",
        "JUPYTER_DATA_DIR": root / "data",
        "JUPYTER_RUNTIME_DIR": root / "runtime",
        "IPYTHONDIR": root / "ipython",
    }
    for folder in folders.values():
        folder.mkdir(parents=True)
    write_kernelspecs(folders["JUPYTER_DATA_DIR"])
    # Else the environment's own python3 is found first.
    return {name: str(path) for name, path in folders.items()} | {"JUPYTER_PREFER_ENV_PATH": "0"}


def notebook(cells: Sequence[str], kernel: str = "python3") -> NotebookNode:
    """A notebook of code cells."""
    code = [nbformat.v4.new_code_cell(cell) for cell in cells]
    made: NotebookNode = nbformat.v4.new_notebook(cells=code)
    made.metadata["kernelspec"] = {"name": kernel, "display_name": kernel, "language": "python"}
    return made


def run_notebook(
    source: Path | Sequence[str], *, kernel: str = "python3", timeout: int = 120
) -> NotebookNode:
    """Runs a notebook file, or the cells given, from top to bottom with no front end.

    Args:
        source: the file, or the source of each code cell.
        kernel: a kernelspec.
        timeout: seconds that one cell may take.

    Returns:
        The notebook with its outputs. nbclient's CellExecutionError is raised when a cell fails.
    """
    if isinstance(source, Path):
        made, folder = nbformat.read(source, as_version=4), source.parent
    else:
        made, folder = notebook(source), Path.cwd()
    client = NotebookClient(
        made,
        kernel_name=kernel,
        timeout=timeout,
        resources={"metadata": {"path": str(folder)}},
    )
    return client.execute()


def output_text(cell: NotebookNode) -> str:
    """What a cell of a notebook that ran has printed and shown, as plain text."""
    parts = []
    for output in cell["outputs"]:
        if output["output_type"] == "stream":
            parts.append(output["text"])
        elif output["output_type"] in {"execute_result", "display_data"}:
            parts.append(output["data"].get("text/plain", ""))
    return "".join(parts)


def _ipykernel_6() -> Path:
    target = CACHE / f"ipykernel-{IPYKERNEL_6}"
    if target.is_dir():
        return target
    CACHE.mkdir(exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=CACHE))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--target", str(fresh), f"ipykernel=={IPYKERNEL_6}"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    if done.returncode != 0:
        shutil.rmtree(fresh)
        raise RuntimeError(
            f"{done.stderr}\nipykernel {IPYKERNEL_6} could not be installed into .cache/ for the "
            "tests that need it: check that pip reaches its package index."
        )
    fresh.rename(target)
    return target
