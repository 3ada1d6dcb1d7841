"""The notebooks run from top to bottom, and replies are read in cells, with no front end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tools.kernels import KERNELS, notebook, output_text, run_notebook

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SHOWN = {
    "01_quickstart": "characters came while this cell slept",
    "02_callbacks": "what had come: 'So far, so good. '",
    "03_models": "You asked demo-1: Are you there?",
}
"""A piece of what each notebook shows when it has run."""

ANSWER = "One, two, **three**.\n\n```python\nprint(4)\n```\n\n你好 👋🏽"

pytestmark = pytest.mark.usefixtures("jupyter", "static_files")


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_from_top_to_bottom(path: Path, kernel: str) -> None:
    ran = run_notebook(path, kernel=kernel)

    code = [cell for cell in ran.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert SHOWN[path.stem] in "".join(output_text(cell) for cell in code)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_kept_without_what_running_it_leaves(path: Path) -> None:
    data = json.loads(path.read_text("utf-8"))
    nbformat.validate(data)

    code = [cell for cell in data["cells"] if cell["cell_type"] == "code"]
    assert (data["nbformat"], data["nbformat_minor"]) == (4, 5)
    assert data["metadata"]["kernelspec"]["name"] == "python3"
    assert code
    for cell in code:
        assert (cell["outputs"], cell["execution_count"], cell["metadata"]) == ([], None, {})


def test_the_first_code_cell_of_the_quickstart_is_all_it_takes() -> None:
    data = nbformat.read(ROOT / "notebooks" / "01_quickstart.ipynb", as_version=4)
    first = next(cell for cell in data.cells if cell.cell_type == "code")

    ran = run_notebook([first.source])

    assert "application/vnd.jupyter.widget-view+json" in ran.cells[0].outputs[0].data


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_reply_is_read_in_all_four_ways_in_cells_that_block(kernel: str) -> None:
    cells = [
        f"import json\nfrom kernelchat import Chat\nchat = Chat(script=[{ANSWER!r}])\nchat",
        "print(json.dumps([text for text in chat.ask('for')]))",
        "print(json.dumps([text async for text in chat.ask('async for')]))",
        "print(json.dumps([await chat.ask('await')]))",
        "print(json.dumps([chat.ask('result').result(timeout=60)]))",
        "print(json.dumps([m.text for m in chat.messages]))",
    ]

    ran = run_notebook(cells, kernel=kernel)

    printed = [json.loads(output_text(cell)) for cell in ran.cells[1:]]
    assert ["".join(pieces) for pieces in printed[:4]] == [ANSWER] * 4
    assert [len(pieces) > 5 for pieces in printed[:4]] == [True, True, False, False]
    assert printed[4] == ["for", ANSWER, "async for", ANSWER, "await", ANSWER, "result", ANSWER]


@pytest.mark.parametrize("kernel", KERNELS)
def test_one_cell_reads_in_all_four_ways_beside_each_other(kernel: str) -> None:
    cell = f"""
import asyncio
from kernelchat import Chat

async def iterate(reply):
    return "".join([text async for text in reply])

async def wait(reply):
    return await reply

replies = [Chat(script=[{ANSWER!r}]).ask("at once") for _ in range(4)]
answers = await asyncio.gather(
    iterate(replies[0]),
    wait(replies[1]),
    asyncio.to_thread(replies[2].result, 60),
    asyncio.to_thread("".join, replies[3]),
)
print(answers == [{ANSWER!r}] * 4)
"""
    assert output_text(run_notebook([cell], kernel=kernel).cells[0]) == "True\n"


def test_nbconvert_gets_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "report.ipynb"
    cells = ["from kernelchat import Chat", "print(Chat(script=['It works.']).ask('?').result())"]
    nbformat.write(notebook(cells), path)
    command = [sys.executable, "-m", "nbconvert", "--execute", "--to", "markdown", "--stdout"]

    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "It works." in done.stdout


def test_a_script_gets_the_answer_without_any_kernel() -> None:
    code = "from kernelchat import Chat; print(Chat(script=['It works.']).ask('?').result())"

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "It works.\n", "")
