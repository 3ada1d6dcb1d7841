"""Close, exit, fork, restart, reload: whatever ends, nothing of it is left serving."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

import kernelchat
from kernelchat import Chat, ChatError
from kernelchat.runtime import runtime
from tools.event_stream import EventReader
from tools.processes import check_python
from tools.pushed import PATIENCE, PushedModel
from tools.reading import CUT, Elsewhere, Server, reading


def test_close_ends_open_streams_in_time(static_files: object) -> None:
    model = PushedModel()
    chat = Chat(model)
    with ExitStack() as stack:
        readers: list[EventReader] = []
        for _ in range(3):
            server = stack.enter_context(Server(chat))
            readers += [stack.enter_context(server.events())]
            server = stack.enter_context(Server(chat))
            readers += [stack.enter_context(server.view_of())]
        asked = stack.enter_context(stack.enter_context(Server(chat)).asked("question", "c1"))
        call = model.call()
        call.push("half")
        asked.next("token")
        began = time.monotonic()
        chat.close()
        assert time.monotonic() - began < 5
        chat.close()
        # Each is told, and its stream ends in good order.
        for reader in readers:
            assert [event.data["status"] for event in reader.rest() if event.name == "status"][
                -1
            ] == "closed"
        assert [event.name for event in asked.rest()] == ["done"]
        assert call.closed.wait(PATIENCE)
        assert model.closed.wait(PATIENCE)
    assert chat.messages[-1].status == "stopped"
    assert chat.messages[-1].text == "half"
    with pytest.raises(ChatError, match="closed"):
        chat.ask("more")
    with pytest.raises(ChatError, match="closed"):
        _ = chat.endpoint


def test_a_closed_chats_token_opens_nothing(chat: Chat) -> None:
    gone = Chat(script=["hi"])
    with Server(gone) as server:
        gone.close()
        assert server.post("/api/tickets", {}).status_code == 401
        # The others are served as before.
    with Server(chat) as server, server.events() as reader:
        reader.next("snapshot")


def test_close_with_a_model_that_hangs(static_files: object) -> None:
    never = threading.Event()

    def hangs(messages: object) -> str:
        never.wait(PATIENCE)
        return "late"

    chat = Chat(hangs)
    reply = chat.ask("question")
    began = time.monotonic()
    chat.close()
    assert time.monotonic() - began < 5
    assert reply.result(PATIENCE) == ""
    never.set()


def test_nothing_is_left_of_many_chats_that_were_closed(static_files: object) -> None:
    def make() -> None:
        chat = Chat(script=["hi"])
        chat.on_done(print)
        with Server(chat) as server, server.events() as reader:
            reader.next("snapshot")
            chat.ask("hello").result(PATIENCE)
        chat.close()

    make()
    registry = runtime().registry
    chats = len(registry.chats())
    for _ in range(20):
        make()
    assert len(registry.chats()) == chats
    for thread in threading.enumerate():
        if thread.name == "kernelchat-callbacks":
            thread.join(PATIENCE)
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("kernelchat-server") == 1
    assert "kernelchat-callbacks" not in names


@pytest.mark.parametrize("end", ["pass", "sys.exit(0)", "[chat.close() for chat in chats]"])
def test_a_process_that_exits_in_the_middle_of_answers(static_files: object, end: str) -> None:
    check_python(
        f"""
        import asyncio, sys, threading
        from kernelchat import Chat
        from tools.pushed import PushedModel
        from tools.reading import Server
        from tools.upstream import Upstream

        never = threading.Event()
        upstream = Upstream()

        def function(messages):
            never.wait()

        def endless(messages):
            while True:
                yield "x"

        async def waits(messages):
            yield "x"
            await asyncio.Event().wait()

        async def blocks(messages):
            yield "x"
            never.wait()

        chats = [Chat(model) for model in (PushedModel(), function, endless, waits, blocks)]
        chats += [Chat(script=["word " * 10_000]), Chat("m", base_url=upstream.base_url)]
        streams = []
        for chat in chats:
            chat.on_token(lambda token: never.wait())
            chat.ask("question")
            streams += [Server(chat).events(), Server(chat).asked("more", "c1")]
        for stream in streams:
            stream.__enter__().next("connected")
        upstream.request().begin()
        {end}
        """
    )


AUTORELOAD = """
import os, sys
from pathlib import Path
from traitlets.config import Config
from IPython.core.interactiveshell import InteractiveShell

folder = Path(sys.argv[1])
sys.path.insert(0, str(folder))
config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell.instance(config=config)
shell.run_line_magic("load_ext", "autoreload")
shell.run_line_magic("autoreload", "2")

def cell(code):
    shell.run_cell(code).raise_error()

cell('''
import threading
import kernelchat
from kernelchat import Chat
from tools.pushed import PATIENCE, PushedModel
from tools.reading import Server, View

before = id(Chat.ask.__code__)
model, view = PushedModel(), View()
old = Chat(model)
port = old.port
reply = old.ask("question")
call = model.call()
call.push("half ")
server = Server(old)
stream = server.events()
reader = stream.__enter__()
_ = view.read(reader, "snapshot")
''')
assert str(folder) in shell.user_ns["kernelchat"].__file__
for file in folder.rglob("*.py"):
    later = file.stat().st_mtime + 60
    os.utime(file, (later, later))
cell("pass")
cell('''
assert id(Chat.ask.__code__) != before, "nothing was reloaded"
call.end("an answer")
print(reply.result(PATIENCE))
_ = view.read(reader, "done")
print(view.answers[0].text)
_ = stream.__exit__(None, None, None)
again = old.ask("again")
model.call().end("goes on")
print(again.result(PATIENCE))
new = Chat(script=["new"])
print(new.ask("hello").result(PATIENCE), new.port == port)
print([thread.name for thread in threading.enumerate()].count("kernelchat-server"))
for chat in (old, new):
    chat.close()
''')
"""


def test_autoreload_keeps_one_server_and_the_old_chats(
    static_files: object, tmp_path: Path
) -> None:
    shutil.copytree(Path(kernelchat.__file__).parent, tmp_path / "kernelchat")
    printed = check_python(AUTORELOAD, str(tmp_path))
    assert printed.splitlines() == ["half an answer"] * 2 + ["goes on", "new True", "1"]


@pytest.fixture
def kernel(jupyter: object, static_files: object) -> Iterator[KernelManager]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    yield manager
    manager.shutdown_kernel(now=True)


@contextmanager
def connected(manager: KernelManager) -> Iterator[BlockingKernelClient]:
    """A client of a kernel that was just started."""
    client = manager.blocking_client()
    client.start_channels()
    # Returns once the kernel is silent, which it is not while an answer runs.
    client.wait_for_ready(timeout=60)
    yield client
    client.stop_channels()


def run_cell(client: BlockingKernelClient, code: str) -> str:
    """Runs a cell; returns what it printed."""
    printed: list[str] = []

    def hook(message: dict[str, dict[str, str]]) -> None:
        if message["header"]["msg_type"] == "stream":
            printed.append(message["content"]["text"])

    answer = client.execute_interactive(code, timeout=60, output_hook=hook)
    assert answer["content"]["status"] == "ok", answer["content"]
    return "".join(printed)


START = """
import threading
from kernelchat import Chat

never = threading.Event()

def endless(messages):
    while not never.wait(0.01):
        yield "x"

chat = Chat(endless, session_id="the-talk")
chat
reply = chat.ask("hello")
print(chat.endpoint.url, chat.endpoint.token, chat.session_id)
"""


def test_a_kernel_restarted_in_the_middle_of_an_answer(kernel: KernelManager) -> None:
    with connected(kernel) as client:
        old = Elsewhere(run_cell(client, START))
    with reading(old) as (reader, view):
        view.read(reader, "token")
        kernel.restart_kernel(now=False)
        with suppress(*CUT):
            reader.rest()
    assert old.refuses()
    with connected(kernel) as client:
        new = Elsewhere(run_cell(client, START))
        assert new.port != old.port
        with reading(new) as (reader, view):
            view.read(reader, "token")
        # The old token is worth nothing here.
        theirs, ours = old.endpoint, new.endpoint
        with Server(Elsewhere(f"{ours.url} {theirs.token} {ours.session_id}")) as server:
            assert server.post("/api/tickets", {}).status_code == 401
        printed = run_cell(client, "chat.close(); chat.close(); print(len(chat.messages))")
        assert printed == "2\n"
