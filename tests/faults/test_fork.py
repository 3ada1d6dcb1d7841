"""A kernel that forks, as multiprocessing does: neither process disturbs the other."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tools.processes import check_python, environment
from tools.reading import CUT, Elsewhere, reading

FORK = """
import os, sys, threading, warnings
from kernelchat import Chat, ChatError
from kernelchat.runtime import runtime
from tools.pushed import PATIENCE, PushedModel
from tools.reading import CUT, Server, View

warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, which is the point

model = PushedModel()
chat = Chat(model)
port = runtime().thread.port


def open_stream():
    reader = Server(chat).events()
    events = reader.__enter__()
    view = View()
    view.read(events, "snapshot")
    return reader, events, view
"""


def test_a_fork_in_the_middle_of_an_answer(static_files: object) -> None:
    printed = check_python(
        FORK
        + """
reader, events, view = open_stream()
reply = chat.ask("question")
call = model.call()
call.push("half ")
view.read(events, "token")
read, write = os.pipe()
pid = os.fork()
if pid == 0:
    try:
        try:
            chat.ask("from the child")
        except ChatError as error:
            os.write(write, f"{error}\\n".encode())
        child_model = PushedModel()
        child = Chat(child_model)
        with Server(child) as server, server.events() as child_events:
            view = View()
            view.read(child_events, "snapshot")
            answer = child.ask("hello")
            child_model.call().end("from the child")
            view.read(child_events, "done")
            os.write(write, f"{answer.result(PATIENCE)}\\n".encode())
        assert runtime().thread.port != port
        child.close()
        status = 0
    except BaseException as error:
        os.write(write, repr(error).encode())
        status = 1
    os._exit(status)
os.close(write)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
# Nothing of it was felt here.
call.end("an answer")
view.read(events, "done")
print(view.answers[0].text)
print(os.read(read, 10_000).decode())
late = chat.ask("again")
model.call().end("still here")
print(late.result(PATIENCE))
"""
    )
    assert printed.split("\n") == [
        "half an answer",
        "This chat is closed: make a new one with Chat().",
        "from the child",
        "",
        "still here",
        "",
    ]


OUTLIVED = """
import os, sys
from kernelchat import Chat

chat = Chat(script=["hi"])
print(chat.endpoint.url, chat.endpoint.token, chat.session_id, flush=True)
sys.stdin.readline()
if os.fork() == 0:
    os.close(1)
    sys.stdin.readline()
    os._exit(0)
os.kill(os.getpid(), 9)
"""


def test_a_child_that_outlives_its_parent_keeps_nothing_open(static_files: object) -> None:
    pipe = subprocess.PIPE
    command = [sys.executable, "-W", "ignore", "-c", OUTLIVED]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment(), text=True) as parent:
        assert parent.stdin
        assert parent.stdout
        chat = Elsewhere(parent.stdout.readline())
        with reading(chat) as (reader, _):
            parent.stdin.write("fork\n")
            parent.stdin.flush()
            # Once the child lives, the parent is killed; both are at the end of this pipe.
            assert parent.stdout.read() == ""
            with pytest.raises(CUT):
                reader.rest()
        assert chat.refuses()
        parent.stdin.write("exit\n")
