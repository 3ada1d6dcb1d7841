"""Long lives and large numbers: what a chat costs after 10,000 turns."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from statistics import median

from hypothesis import given, settings
from hypothesis import strategies as st

from kernelchat import Chat
from kernelchat import commands as c
from kernelchat.log import TAIL_EVENTS, MemoryLog
from kernelchat.models.base import BuiltinModel, ModelMessage
from kernelchat.session import Session
from tools.pushed import PATIENCE, PushedModel
from tools.reading import Server, View
from tools.talk import until

TURNS = 10_000
ANSWER = ("An answer ", "of two tokens.")


class AtOnce(BuiltinModel):
    """Answers without waiting for anything."""

    label = "at once"

    def __init__(self) -> None:
        self.told = 0

    async def stream(self, messages: Sequence[ModelMessage]) -> AsyncIterator[str]:
        self.told = len(messages)
        for token in ANSWER:
            yield token


def test_10_000_turns(static_files: object) -> None:
    model = AtOnce()
    chat = Chat(model)
    log = chat._session.log
    assert isinstance(log, MemoryLog)
    with Server(chat) as server:
        seconds: list[float] = []
        for number in range(TURNS):
            began = time.perf_counter()
            reply = chat.ask(f"question {number}")
            assert reply.result(PATIENCE) == "".join(ANSWER)
            seconds.append(time.perf_counter() - began)
        assert model.told == 2 * TURNS - 1
        # The talk that the model is told has grown a thousandfold; nothing may grow with it but
        # a copy of a list.
        assert median(seconds[-1000:]) < 10 * median(seconds[:1000]) + 0.01
        assert len(log._entries) <= 2 * TAIL_EVENTS
        with server.events() as reader:
            view = View()
            snapshot = view.read(reader, "snapshot")
        assert len(view.messages) == 100
        assert snapshot.data["has_more"]
    assert len(chat.messages) == 2 * TURNS
    chat.close()


async def test_a_turn_leaves_its_messages_and_nothing_else() -> None:
    session = Session("s1", AtOnce())

    async def ask(number: int) -> None:
        session.execute(c.Send(f"c{number}", "question"))
        await until(session.log, lambda: session.idle)

    # Until what is kept for a while (the log's tail, answered commands, drafts) is full, it grows.
    for number in range(1000):
        await ask(number)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    turns = 1000
    for number in range(1000, 1000 + turns):
        await ask(number)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    await session.close()
    # Two messages, their ids, a remembered command, a draft for a minute: each a few hundred bytes.
    assert (after - before) / turns < 8 * 1024


def test_a_long_answer_costs_its_text(static_files: object) -> None:
    model = PushedModel()
    session_text = 4 << 20
    chat = Chat(model)
    reply = chat.ask("question")
    call = model.call()
    token = "x" * 64
    gc.collect()
    tracemalloc.start()
    for _ in range(session_text // len(token)):
        call.push(token)
    call.end()
    assert len(reply.result(PATIENCE)) == session_text
    del reply
    gc.collect()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The test's own queue and copies are in it too; what is not: a copy per token.
    assert peak < 40 * session_text
    log = chat._session.log
    assert isinstance(log, MemoryLog)
    assert len(log._entries) <= 2 * TAIL_EVENTS
    chat.close()


VERB = st.sampled_from(["send", "regenerate", "edit", "undo", "clear", "select", "stop", "fail"])
VERBS = st.lists(st.tuples(VERB, st.integers(0, 20)), max_size=15)


@settings(max_examples=60)
@given(VERBS)
async def test_the_model_is_told_the_path_and_nothing_else(verbs: list[tuple[str, int]]) -> None:
    model = PushedModel()
    session = Session("s1", model)
    state = session.state
    for number, (verb, which) in enumerate([("send", 0), *verbs]):
        asked = [i for i in state.ids() if (m := state.get(i)) and m.role == "user"]
        command_id = f"c{number}"
        match verb:
            case "regenerate" if state.leaf_id:
                session.execute(c.Regenerate(command_id))
            case "edit":
                edited = asked[which % len(asked)]
                session.execute(c.Edit(command_id, edited, f"edited {number}"))
            case "undo" if state.leaf_id:
                session.execute(c.Undo(command_id))
            case "clear":
                session.execute(c.Clear(command_id))
            case "select":
                session.execute(c.Select(command_id, asked[which % len(asked)]))
            case "send" | "stop" | "fail":
                session.execute(c.Send(command_id, f"question {number}"))
        if session.idle:
            continue
        call = await model.called()
        answer = state.path()[-1]
        assert answer.parent_id is not None
        assert call.messages == [
            m.to_openai() for m in state.path(answer.parent_id) if m.role == "user" or m.text
        ]
        if verb == "stop":
            session.execute(c.Stop(f"stop {number}"))
        elif verb == "fail":
            call.fail(ValueError("no"))
        else:
            call.end(f"answer {number}")
        await until(session.log, lambda: session.idle)
    await session.close()
