"""README says what is true: its commands, its links, and every example in it."""

from __future__ import annotations

import re
import shlex
import string
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from kernelchat import Chat
from tools.chromium import ARGUMENTS
from tools.kernels import output_text, run_notebook

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
TRY = (
    'python3 -m venv .venv && .venv/bin/python -m pip install -e ".[lab]"'
    " && .venv/bin/python -m jupyterlab notebooks/01_quickstart.ipynb"
)
TEST = (
    'python3 -m venv .venv && .venv/bin/python -m pip install -e ".[dev]"'
    " && .venv/bin/python -m pytest"
)

pytestmark = pytest.mark.usefixtures("static_files")


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)


def test_length() -> None:
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize("command", [TRY, TEST])
def test_the_two_lines_stand_at_the_top_and_in_the_chinese_section(command: str) -> None:
    top = README.splitlines()[:30]
    chinese = README.partition("\n## 中文\n")[2].splitlines()

    assert f"    {command}" in top
    assert f"    {command}" in chinese


def test_links_lead_to_files_of_the_repository() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)

    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_picture_is_small() -> None:
    assert (ROOT / ".github" / "chat.png").stat().st_size < 150_000


@pytest.mark.usefixtures("jupyter")
def test_python_examples_run_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    # No example asks a service; a model that has a key is made without one being reached.
    for name in ("OPENAI_API_KEY", "DEEPSEEK_API_KEY", "DASHSCOPE_API_KEY"):
        monkeypatch.setenv(name, "test-key")
    cells = examples("python")

    ran = run_notebook([*cells, "print(answer)"])

    assert len(cells) == 4
    assert output_text(ran.cells[0]).startswith("Hello! Try `print('hi')`.")
    assert output_text(ran.cells[-1]) == "Hello! Try `print('hi')`.\n"


def test_curl_example() -> None:
    chat = Chat(script=["Hello, client!"])
    endpoint = chat.endpoint
    (example,) = examples("sh")
    filled = string.Template(example).substitute(CHAT_URL=endpoint.url, CHAT_TOKEN=endpoint.token)
    # Read as a shell would, so that machines without curl can tell as well.
    command, unbuffered, url, *options = shlex.split(filled.replace("\\\n", " "))
    given = list(zip(options[::2], options[1::2], strict=True))
    headers = dict(value.split(": ", 1) for option, value in given if option == "-H")
    (body,) = (value for option, value in given if option == "-d")

    request = urllib.request.Request(url, body.encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        stream = answer.read().decode()
    chat.close()

    assert (command, unbuffered) == ("curl", "-N")
    names = re.findall(r"^event: (\w+)$", stream, re.M)
    assert (names[0], names[1], names[-1]) == ("connected", "token", "done")
    assert '"Hello, client!"' in stream


@pytest.mark.browser
def test_javascript_example(chromium: str) -> None:
    chat = Chat(script=["Hello, client!"])
    (example,) = examples("js")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page()
        page.goto(chat.endpoint.url)
        shown = page.evaluate(
            "async ([url, token]) => { const texts = []; const show = (text) => texts.push(text);"
            f"{example} return texts; }}",
            [chat.endpoint.url, chat.endpoint.token],
        )
        browser.close()
    chat.close()

    assert len(shown) > 1
    assert shown[-1] == "Hello, client!"
