"""What user code can do on the threads it is given: harm itself, and nobody else."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from kernelchat import Chat, Message, Token
from tools.processes import check_python
from tools.pushed import PATIENCE, PushedModel
from tools.reading import Server, View
from tools.talk import wait_until

PIECES = [f"{n} 字 " for n in range(50)]
WHOLE = "".join(PIECES)


@pytest.fixture
def other(static_files: object) -> Iterator[tuple[Chat, PushedModel]]:
    model = PushedModel()
    chat = Chat(model)
    yield chat, model
    chat.close()


def stream_is_well(chat: Chat, model: PushedModel, server: Server) -> None:
    """One turn, read over HTTP and from Python while callbacks do what they do."""
    with server.events() as reader:
        view = View()
        view.read(reader, "snapshot")
        reply = chat.ask("question")
        call = model.call()
        call.push(*PIECES)
        call.end()
        view.follow(reader, lambda: view.answers and view.answers[-1].status == "done")
        assert view.answers[-1].text == WHOLE
    assert reply.result(PATIENCE) == WHOLE


def test_callbacks_that_raise(
    chat: Chat, model: PushedModel, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []
    over = threading.Event()

    @chat.on_token
    def fails(token: Token) -> None:
        raise ZeroDivisionError(token.text)

    @chat.on_token
    async def exits(token: Token) -> None:
        raise SystemExit

    @chat.on_token
    def counts(token: Token) -> None:
        seen.append(token.text)

    @chat.on_done
    def done(message: Message) -> None:
        over.set()

    stream_is_well(chat, model, server)
    assert over.wait(PATIENCE)
    assert "".join(seen) == WHOLE
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_callback_that_never_returns(
    chat: Chat, model: PushedModel, server: Server, other: tuple[Chat, PushedModel]
) -> None:
    never, stuck, over = threading.Event(), threading.Event(), threading.Event()

    @chat.on_token
    def blocks(token: Token) -> None:
        stuck.set()
        never.wait()

    @other[0].on_done
    def done(message: Message) -> None:
        over.set()

    for _ in range(3):
        stream_is_well(chat, model, server)
    assert stuck.wait(PATIENCE)
    # Another chat's callbacks have a thread of their own.
    reply = other[0].ask("question")
    other[1].call().end("answer")
    assert reply.result(PATIENCE) == "answer"
    assert over.wait(PATIENCE)
    began = time.monotonic()
    chat.close()
    assert time.monotonic() - began < 5
    never.set()


def test_a_callback_that_is_slow_gets_everything(
    chat: Chat, model: PushedModel, server: Server
) -> None:
    seen: list[str] = []
    go_on, over = threading.Event(), threading.Event()

    @chat.on_token
    def slow(token: Token) -> None:
        assert go_on.wait(PATIENCE)
        seen.append(token.text)

    @chat.on_done
    def done(message: Message) -> None:
        assert message.text == "".join(seen)
        over.set()

    reply = chat.ask("question")
    pieces = [f"{n} " for n in range(2000)]
    model.call().end(*pieces)
    assert reply.result(PATIENCE) == "".join(pieces)
    go_on.set()
    assert over.wait(PATIENCE)
    assert "".join(seen) == "".join(pieces)


def test_a_callback_that_prints(
    chat: Chat, model: PushedModel, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    over = threading.Event()
    chat.on_token(print)

    @chat.on_done
    def done(message: Message) -> None:
        over.set()

    stream_is_well(chat, model, server)
    assert over.wait(PATIENCE)
    assert capfd.readouterr().out.replace("\n", "") == WHOLE


def test_a_callback_that_asks_and_waits(
    chat: Chat, model: PushedModel, other: tuple[Chat, PushedModel]
) -> None:
    answers: list[str] = []
    over = threading.Event()

    @chat.on_done
    def asks(message: Message) -> None:
        if len(answers) < 3:
            # Waits on the callbacks' own thread, of which no turn needs anything.
            answers.append(chat.ask("more").result(PATIENCE))
            answers.append("".join(other[0].ask("and you?")))
        else:
            over.set()

    chat.ask("question")
    model.call().end("first")
    for n in range(2):
        model.call().end(f"own {n}")
        other[1].call().end(f"other {n}")
    assert over.wait(PATIENCE)
    assert answers == ["own 0", "other 0", "own 1", "other 1"]


@pytest.mark.parametrize(
    "act",
    [Chat.stop, Chat.clear, Chat.undo, Chat.close, Chat.regenerate],
    ids=["stop", "clear", "undo", "close", "regenerate"],
)
@pytest.mark.parametrize("whose", ["own", "other"])
def test_a_callback_that_ends_a_turn(
    chat: Chat,
    model: PushedModel,
    other: tuple[Chat, PushedModel],
    act: Callable[[Chat], object],
    whose: str,
) -> None:
    target = chat if whose == "own" else other[0]
    over = threading.Event()

    @chat.on_token
    def acts(token: Token) -> None:
        if not over.is_set():
            act(target)
            over.set()

    theirs = other[0].ask("question")
    their_call = other[1].call()
    reply = chat.ask("question")
    call = model.call()
    call.push("half")
    assert over.wait(PATIENCE)
    ended, their_end = (reply, call) if whose == "own" else (theirs, their_call)
    assert ended.result(PATIENCE) == ("half" if whose == "own" else "")
    assert ended.message.status == "stopped"
    assert their_end.closed.wait(PATIENCE)
    if whose == "other":
        call.end(" and the rest")
        assert reply.result(PATIENCE) == "half and the rest"
    else:
        their_call.end("theirs")
        assert theirs.result(PATIENCE) == "theirs"


def test_an_async_generator_that_blocks_its_loop_stalls_no_other_chat(
    static_files: object, chat: Chat, model: PushedModel, server: Server
) -> None:
    go_on = threading.Event()

    async def blocks(messages: object) -> AsyncIterator[str]:
        yield "before "
        go_on.wait(PATIENCE)
        yield "after"

    async def streams(messages: object) -> AsyncIterator[str]:
        for piece in PIECES:
            yield piece

    blocked, well = Chat(blocks), Chat(streams)
    stuck = blocked.ask("question")
    wait_until(blocked._session.log, lambda: stuck.text == "before ")
    assert well.ask("question").result(PATIENCE) == WHOLE
    stream_is_well(chat, model, server)
    # It can even be stopped, and answers nothing more until its code lets go.
    stuck.stop()
    assert stuck.result(PATIENCE) == "before "
    began = time.monotonic()
    blocked.close()
    well.close()
    assert time.monotonic() - began < 10
    go_on.set()


def test_a_hundred_interrupts_end_a_hundred_waits_and_nothing_else(
    chat: Chat, model: PushedModel, server: Server
) -> None:
    main = threading.main_thread().ident
    assert main is not None
    reply = chat.ask("question")
    call = model.call()
    log = chat._session.log

    def praise() -> None:
        while True:
            chat.feedback(reply.message.id, "up")

    waits: list[Callable[[], object]] = [
        reply.result,
        lambda: list(reply),
        lambda: reply.result(timeout=PATIENCE),
        praise,
    ]
    handler = signal.getsignal(signal.SIGINT)
    threads = set(threading.enumerate())
    with server.events() as reader:
        view = View()
        view.read(reader, "snapshot")
        for number in range(100):
            waiting = threading.Event()

            def interrupt(waiting: threading.Event = waiting) -> None:
                waiting.wait(PATIENCE)
                signal.pthread_kill(main, signal.SIGINT)

            interrupter = threading.Thread(target=interrupt)
            interrupter.start()
            with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - both must lie within
                waiting.set()
                waits[number % len(waits)]()
            interrupter.join(PATIENCE)
            call.push(f"{number} ")
        call.end()
        view.follow(reader, lambda: view.answers[0].status == "done")
    whole = "".join(f"{n} " for n in range(100))
    assert view.answers[0].text == whole == reply.result(PATIENCE)
    assert len(model.calls) == 1
    assert signal.getsignal(signal.SIGINT) is handler
    assert {thread.name for thread in set(threading.enumerate()) - threads} <= {
        "kernelchat-callbacks"
    }
    assert len(log._wakes) <= 4  # type: ignore[attr-defined]


def test_chats_change_nothing_of_the_process(static_files: object) -> None:
    printed = check_python(
        """
        import asyncio, signal, sys, threading

        def settings():
            return (
                sys.getswitchinterval(),
                asyncio.get_event_loop_policy(),
                [signal.getsignal(n) for n in signal.valid_signals()],
                signal.set_wakeup_fd(-1),
                threading.excepthook,
                sys.excepthook,
                sys.unraisablehook,
                threading.stack_size(),
            )

        sys.setswitchinterval(0.004)
        asyncio.get_event_loop_policy()
        before = settings()
        from kernelchat import Chat
        from tools.reading import Server

        async def function(messages):
            yield "hello"

        chats = [Chat(script=["hello"]), Chat(function), Chat(), Chat(lambda messages: "hello")]
        for chat in chats:
            chat.on_token(lambda token: None)
            chat.ask("hello").result(30)
            with Server(chat) as server, server.events() as reader:
                reader.next("snapshot")
        assert settings() == before
        names = {thread.name for thread in threading.enumerate()} - {"MainThread"}
        print(*sorted(names))
        for chat in chats:
            chat.close()
        """
    )
    assert set(printed.split()) <= {
        "kernelchat-server",
        "kernelchat-callbacks",
        "kernelchat-model",
    }
