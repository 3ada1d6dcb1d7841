"""A JupyterLab of the tests' own: the server, once per run, and a notebook open in a browser page.

Everything goes through the application object that Lab exposes, not through clicks: Lab redraws its
menus and its cells while a kernel starts, and a click then gets lost without an error.
"""

from __future__ import annotations

import ast
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Locator, Page

from tools.browsers import SCREENSHOTS
from tools.kernels import notebook

START_SECONDS = 60.0

SETTINGS: dict[str, dict[str, object]] = {
    # Asks each new user once whether to fetch news, over the notebook.
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
}

KERNEL_READY = """async () => {
  const panel = jupyterapp.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  const kernel = panel.sessionContext.session.kernel;
  await kernel.info;
  // Lab says idle too early: believe it only once it has said so for a while.
  for (let calm = 0; calm < 5; ) {
    const idle = kernel.connectionStatus === "connected" && kernel.status === "idle";
    calm = idle ? calm + 1 : 0;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}"""

START_CELL = """([index]) => {
  const { content, context } = jupyterapp.shell.currentWidget;
  content.deselectAll();
  content.activeCellIndex = index;
  globalThis.cellRuns ??= {};
  globalThis.cellRuns[index] = jupyterapp.commands.execute("notebook:run-cell");
}"""

CELL_OUTPUTS = """([index]) =>
  jupyterapp.shell.currentWidget.content.widgets[index].model.outputs.toJSON()"""


class LabServer:
    """A `jupyter lab` process that serves one folder of notebooks.

    Args:
        folder: an empty folder, for the notebooks.
        environment: the variables of Jupyter's folders; lab's settings are written there.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.token = secrets.token_hex(16)
        self._settings = Path(environment["JUPYTER_CONFIG_DIR"])
        defaults = self._settings / "labconfig" / "default_setting_overrides.json"
        defaults.parent.mkdir(exist_ok=True)
        defaults.write_text(json.dumps(SETTINGS), "utf-8")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder.parent / f"{folder.name}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                    *("--ip=127.0.0.1", f"--port={port}", "--port-retries=0"),
                    *(f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={folder}"),
                    "--LabApp.expose_app_in_browser=True",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
            )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.close()
            raise

    def request(self, path: str, method: str = "GET") -> Any:
        """What the server's REST API answers, None for an empty body."""
        request = urllib.request.Request(
            f"{self.url}/api/{path}",
            method=method,
            headers={"Authorization": f"token {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def write(self, source: Path | Sequence[str], kernel: str) -> str:
        """Puts a notebook with this kernel into the folder; the name it got."""
        if isinstance(source, Path):
            made = nbformat.read(source, as_version=4)
            made.metadata["kernelspec"] = notebook([], kernel).metadata["kernelspec"]
        else:
            made = notebook(source, kernel)
        name = f"{secrets.token_hex(4)}.ipynb"
        nbformat.write(made, self.folder / name)
        return name

    def interrupt(self) -> None:
        """Interrupts every kernel, as the stop button does."""
        for kernel in self.request("kernels"):
            self.request(f"kernels/{kernel['id']}/interrupt", "POST")

    def busy(self) -> bool:
        """Whether a kernel runs a cell. A page that was reloaded meanwhile cannot tell."""
        return any(kernel["execution_state"] == "busy" for kernel in self.request("kernels"))

    def clear(self) -> None:
        """Ends the kernels and forgets the notebooks and the settings that a test has left."""
        for session in self.request("sessions"):
            self.request(f"sessions/{session['id']}", "DELETE")
        for file in self.folder.iterdir():
            if file.is_file():
                file.unlink()
        shutil.rmtree(self._settings / "lab" / "user-settings", ignore_errors=True)

    def close(self) -> None:
        """Ends the server and its kernels."""
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_until_it_answers(self) -> None:
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                self.request("status")
            except (urllib.error.URLError, TimeoutError, ConnectionError):
                if self._process.poll() is None and time.monotonic() < end:
                    time.sleep(0.1)
                    continue
                log = self.log.read_text("utf-8", "replace")
                raise RuntimeError(f"JupyterLab did not start:\n{log}") from None
            return


class CellError(Exception):
    """A cell raised; the message is its traceback."""


class LabPage:
    """One notebook in one browser page."""

    def __init__(self, page: Page, server: LabServer) -> None:
        self.page = page
        self.server = server
        self.name = ""
        # Lab asks before it is left with unsaved changes.
        page.on("dialog", lambda dialog: dialog.accept())

    def open(self, source: Path | Sequence[str], *, kernel: str = "python3") -> None:
        """Opens a copy of a notebook file, or code cells, and waits for its kernel."""
        self.name = self.server.write(source, kernel)
        self._go()
        self.wait_for_kernel()

    def save(self) -> None:
        """Saves the notebook."""
        self.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")

    def address(self, workspace: str) -> str:
        """Where another tab opens this notebook, in a workspace of its own."""
        path = f"lab/workspaces/{workspace}/tree/{self.name}"
        return f"{self.server.url}/{path}?token={self.server.token}"

    def reload(self) -> None:
        """Saves and reloads the page. Lab then attaches to the same kernel."""
        self.save()
        self._go()

    def _go(self) -> None:
        self.page.goto(f"{self.server.url}/lab/tree/{self.name}?token={self.server.token}&reset")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")

    def wait_for_kernel(self) -> None:
        """Waits until the kernel is connected and idle."""
        self.page.evaluate(KERNEL_READY)

    def restart_kernel(self) -> None:
        """Restarts the kernel; the outputs stay as they are."""
        self.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
        self.wait_for_kernel()

    def set_source(self, index: int, source: str) -> None:
        """Replaces the text of a cell."""
        self.page.evaluate(
            """([index, source]) => jupyterapp.shell.currentWidget.content
              .widgets[index].model.sharedModel.setSource(source)""",
            [index, source],
        )

    def start_cell(self, index: int) -> None:
        """Starts a cell and returns at once."""
        self.page.evaluate(START_CELL, [index])

    def wait_until_busy(self) -> None:
        """Waits until the kernel runs a cell."""
        self.page.wait_for_function(
            "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'"
        )

    def wait_for_cell(self, index: int) -> None:
        """Waits for the end of a started cell. Raises CellError if it raised."""
        self.page.evaluate("([index]) => globalThis.cellRuns[index]", [index])
        for output in self.outputs(index):
            if output["output_type"] == "error":
                raise CellError("\n".join(output["traceback"]))

    def run_cell(self, index: int) -> None:
        """Runs a cell to its end. Raises CellError if it raised."""
        self.start_cell(index)
        self.wait_for_cell(index)

    def run_all(self) -> None:
        """Runs all cells, as the menu does. Raises CellError for the first that raised."""
        self.page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')")
        count = self.page.evaluate("() => jupyterapp.shell.currentWidget.content.widgets.length")
        for index in range(count):
            for output in self.outputs(index):
                if output["output_type"] == "error":
                    raise CellError("\n".join(output["traceback"]))

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """The outputs of a cell as the notebook would save them; none for a text cell."""
        kind = "([index]) => jupyterapp.shell.currentWidget.content.widgets[index].model.type"
        if self.page.evaluate(kind, [index]) != "code":
            return []
        outputs: list[dict[str, Any]] = self.page.evaluate(CELL_OUTPUTS, [index])
        return outputs

    def output_text(self, index: int) -> str:
        """What a cell printed, and the plain text of what it shows."""
        parts = []
        for output in self.outputs(index):
            text = output.get("text", output.get("data", {}).get("text/plain", ""))
            parts.append("".join(text) if isinstance(text, list) else str(text))
        return "".join(parts)

    def output(self, index: int) -> Locator:
        """The drawn output of a cell."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index).locator(".jp-OutputArea")

    def evaluate_in_kernel(self, expression: str) -> Any:
        """The value of a Python expression, through JSON, while no cell runs. Shows nowhere."""
        text: str = self.page.evaluate(
            """async ([code]) => {
              const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
              const future = kernel.requestExecute({
                code: "", silent: false, store_history: false, user_expressions: { value: code },
              });
              const { content } = await future.done;
              const value = content.user_expressions.value;
              if (value.status !== "ok") throw new Error(`${value.ename}: ${value.evalue}`);
              return value.data["text/plain"];
            }""",
            [f"__import__('json').dumps({expression})"],
        )
        # The plain text is the repr of the JSON string.
        return json.loads(ast.literal_eval(text))

    def set_theme(self, name: str) -> None:
        """Switches Lab to a theme, such as "JupyterLab Dark"."""
        self.page.evaluate(
            "(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })", name
        )
        self.page.locator(f"body[data-jp-theme-name='{name}']").wait_for(state="attached")
        # Lab covers itself while it loads the colours.
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")

    def screenshot(self, name: str) -> Path:
        """Saves what the page shows now into .cache/screenshots/."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path
