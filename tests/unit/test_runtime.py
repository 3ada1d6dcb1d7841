from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

import pytest

from tools.programs import output_of, run_program

LISTENING = """
import os, socket
def listening():
    '''The listening TCP sockets of this process, asked of its own descriptors.'''
    found = []
    for name in os.listdir("/dev/fd"):
        try:
            one = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        try:
            if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                found.append(one.getsockname())
        except OSError:
            pass
        one.close()
    return found
"""


def test_importing_loads_nothing_heavy() -> None:
    loaded = output_of(
        """
        import sys
        import kernelchat
        heavy = ("openai", "starlette", "uvicorn", "sqlite3", "httpx2", "h11", "anyio")
        print([name for name in heavy if name in sys.modules])
        """
    )
    assert loaded == "[]\n"


def test_a_chat_without_openai_does_not_load_it() -> None:
    loaded = output_of(
        """
        import sys
        from kernelchat import Chat
        chat = Chat(lambda messages: "hi")
        assert chat.ask("hello").result(30) == "hi"
        print("openai" in sys.modules)
        """
    )
    assert loaded == "False\n"


@pytest.mark.parametrize(
    "ends",
    [
        "",
        "sys.exit(0)",
        "chat.close()",
        "chat.close(); chat.close()",
        "del chat",
        "import ipywidgets; ipywidgets.Widget.close_all()",
    ],
)
@pytest.mark.parametrize("model", ["def", "async def", "blocks", "script"])
def test_a_process_ends_cleanly_while_an_answer_runs(model: str, ends: str) -> None:
    ended = run_program(
        f"""
        import asyncio, sys, threading
        from kernelchat import Chat

        def blocks(messages):
            yield "so far"
            threading.Event().wait()

        def plain(messages):
            while True:
                yield "x"

        async def later(messages):
            while True:
                yield "x"
                await asyncio.sleep(0)

        models = {{"def": plain, "async def": later, "blocks": blocks}}
        chat = Chat(models.get({model!r}), **({{}} if {model!r} in models else
                                              {{"script": ["word " * 10_000]}}))
        chat.on_token(lambda token: None)

        @chat.on_done
        async def done(message):
            await asyncio.sleep(0)

        pieces = iter(chat.ask("hello"))
        print(next(pieces) != "", flush=True)
        {ends}
        """
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "True\n", "")


def test_two_chats_share_one_server() -> None:
    names = output_of(
        """
        import threading
        from kernelchat import Chat
        chats = [Chat(script=["Hello"]) for _ in range(3)]
        for chat in chats:
            assert chat.ask("hi").result(30) == "Hello"
        assert len({chat.port for chat in chats}) == len({chat.instance for chat in chats}) == 1
        assert len({chat.endpoint.token for chat in chats}) == 3
        print(sorted({t.name for t in threading.enumerate() if t.name != "kernelchat-callbacks"}))
        print([t.name for t in threading.enumerate()].count("kernelchat-server"))
        """
    )
    assert names == "['MainThread', 'kernelchat-server']\n1\n"


def test_the_transport_may_be_set_for_all() -> None:
    found = output_of(
        """
        from kernelchat import Chat
        print(Chat(script=["x"]).port, Chat(script=["x"], transport="auto").port > 0)
        """,
        KERNELCHAT_TRANSPORT="comm",
    )
    assert found == "0 True\n"


def test_it_outlives_a_reload_of_the_modules() -> None:
    found = output_of(
        """
        import sys, threading
        from kernelchat import Chat
        first = Chat(script=["Hello"])
        for name in [n for n in sys.modules if n.split(".")[0] == "kernelchat"]:
            del sys.modules[name]
        from kernelchat import Chat as Again
        assert Again is not Chat
        second = Again(script=["Hello"])
        assert first.ask("hi").result(30) == second.ask("hi").result(30) == "Hello"
        print(first.port == second.port, first.instance == second.instance)
        print([t.name for t in threading.enumerate()].count("kernelchat-server"))
        """
    )
    assert found == "True True\n1\n"


def test_what_others_set_is_left_alone() -> None:
    found = output_of(
        """
        import asyncio, signal, sys
        def settings():
            return (sys.getswitchinterval(), type(asyncio.get_event_loop_policy()),
                    [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)],
                    sys.excepthook)
        before = settings()
        from kernelchat import Chat
        chat = Chat(script=["Hello"])
        chat.ask("hi").result(30)
        print(settings() == before)
        chat.close()
        print(settings() == before)
        """
    )
    assert found == "True\nTrue\n"


if os.name == "posix":

    def test_over_comm_nothing_listens() -> None:
        program = """
            from kernelchat import Chat
            chat = Chat(script=["Hello"], transport="comm")
            assert chat.ask("hi").result(30) == "Hello"
            print(listening(), chat.port)
            both = Chat(script=["Hello"])
            print(listening() == [("127.0.0.1", both.port)], chat.port)
        """
        assert output_of(LISTENING + textwrap.dedent(program)) == "[] 0\nTrue 0\n"

    def test_a_forked_child_makes_its_own_and_the_parent_goes_on() -> None:
        found = output_of(
            """
            import os, sys
            from kernelchat import Chat, ChatError
            chat = Chat(script=["Hello"])
            chat.on_token(lambda token: None)
            assert chat.ask("one").result(30) == "Hello"
            sys.stdout.flush()
            child = os.fork()
            if child == 0:
                try:
                    chat.ask("two")
                except ChatError as error:
                    assert "closed" in error.message
                own = Chat(script=["child"])
                assert own.ask("hi").result(30) == "child"
                assert own.port != chat.port and own.instance != chat.instance
                chat.close()
                own.close()
                print("child", flush=True)
                sys.exit(0)
            _, status = os.waitpid(child, 0)
            assert chat.ask("three").result(30) == "Hello"
            print(os.waitstatus_to_exitcode(status), len(chat.messages))
            """
        )
        assert found == "child\n0 4\n"

    def test_multiprocessing_by_fork() -> None:
        found = output_of(
            """
            import multiprocessing
            from kernelchat import Chat

            def work(n):
                return Chat(script=[f"child {n}"]).ask("hi").result(30)

            chat = Chat(script=["Hello"])
            pieces = iter(chat.ask("hi"))
            next(pieces)
            with multiprocessing.get_context("fork").Pool(2) as pool:
                print(pool.map(work, range(2)))
            print(chat.ask("again").result(30))
            """
        )
        assert found == "['child 0', 'child 1']\nHello\n"


def test_a_program_in_a_file_may_be_run(tmp_path: Path) -> None:
    program = tmp_path / "talk.py"
    program.write_text(
        "from kernelchat import Chat\n"
        "with_script = Chat(script=['Hello'])\n"
        "print(with_script.ask('hi').result(30))\n",
        "utf-8",
    )
    found = output_of(
        f"import runpy; runpy.run_path({str(program)!r}, run_name='__main__')",
        PYTHONPATH=os.pathsep.join(sys.path),
    )
    assert found == "Hello\n"
