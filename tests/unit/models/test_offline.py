from __future__ import annotations

import re
import sqlite3

import pytest

from kernelchat.errors import ChatError
from kernelchat.models import offline
from kernelchat.models.handbook import handbook
from kernelchat.models.offline import OfflineModel
from tools.models import collect, text_of

Talk = list[dict[str, str]]


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline, "RATE", 1e6)


def ask(question: str, *, after: Talk | None = None) -> Talk:
    system = {"role": "system", "content": "You are a pirate."}
    return [system, *(after or []), {"role": "user", "content": question}]


async def answer(messages: Talk) -> str:
    model = OfflineModel()
    try:
        return text_of(await collect(model, messages))
    finally:
        await model.aclose()


async def test_an_answer_is_the_entry_with_its_source_and_how_to_connect() -> None:
    text = await answer(ask("How can I interrupt it?"))
    entry = next(entry for entry in handbook() if entry.id == "stop")
    assert text.startswith(entry.texts["en"])
    assert "```python" in text
    assert "From the handbook: *Stopping*" in text
    assert "No model is connected" in text
    assert "OPENAI_API_KEY" in text


async def test_a_question_in_chinese_is_answered_in_chinese() -> None:
    text = await answer(ask("怎么 stop"))
    entry = next(entry for entry in handbook() if entry.id == "stop")
    assert text.startswith(entry.texts["zh"])
    assert "出自手册：*停止*" in text
    assert "没有连接模型" in text


async def test_later_answers_say_in_short_that_no_model_is_connected() -> None:
    before = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Hello!"}]
    assert "No model is connected." in await answer(ask("dark theme", after=before))
    assert "未连接模型" in await answer(ask("主题", after=before))
    assert "OPENAI_API_KEY" not in await answer(ask("dark theme", after=before))


@pytest.mark.parametrize(
    ("question", "sorry"),
    [("What's the weather like?", "I do not know that"), ("红烧肉怎么做", "这个我不知道")],
)
async def test_it_says_when_it_does_not_know_and_what_it_could_be_asked(
    question: str, sorry: str
) -> None:
    text = await answer(ask(question))
    assert sorry in text
    assert "OPENAI_API_KEY" in text
    suggested = re.findall(r"^- (.+)$", text, re.M)
    assert len(suggested) == 3
    for title in suggested:
        assert title in await answer(ask(title)), "what it suggests, it knows"


async def test_what_it_does_not_quite_know_it_suggests() -> None:
    text = await answer(ask("Which hook fires once everything finished loading?"))
    assert "I do not know that" in text
    assert "- Callbacks\n" in text


async def test_a_talk_without_a_question_is_borne() -> None:
    assert "I do not know" in await answer([])


async def test_the_pace_is_that_of_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert 20 <= offline.RATE <= 60
    model = OfflineModel()
    pieces = [piece async for piece in model.stream(ask("thanks"))]
    assert len(pieces) > 20
    assert all(len(piece) <= 28 for piece in pieces)
    await model.aclose()


async def test_a_sqlite_without_full_text_search_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise sqlite3.OperationalError("no such module: fts5")

    monkeypatch.setattr(offline, "Search", refuse)
    with pytest.raises(ChatError, match="FTS5: connect a model") as caught:
        await answer(ask("hello"))
    assert caught.value.kind == "model"
    assert not caught.value.retryable


async def test_it_can_be_warmed_closed_and_used_again() -> None:
    model = OfflineModel()
    await model.warm()
    await model.warm()
    await model.aclose()
    await model.aclose()
    assert "handbook" in text_of(await collect(model, ask("hello")))
    await model.aclose()
    assert (model.label, model.connected) == ("handbook, no model", False)
