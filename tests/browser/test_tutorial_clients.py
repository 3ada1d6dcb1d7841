"""Pages that people write themselves: the tutorial's two kinds, and one with our own client.

They are served from another port, as on a developer's machine, so each request crosses origins.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from browser.webpages import ClientPage, TutorialPage, has_text, served
from kernelchat import Chat, ChatError
from tools.cutting_proxy import CuttingProxy
from tools.pushed import PATIENCE, PushedModel

PIECES = ["你好", "，wor", "ld\n", "👋🏽", " <b>&amp;</b>", " data: x", "。"]
WHOLE = "".join(PIECES)
MADE_UP = re.compile(r"已连接 session_[0-9a-z_]+")


@pytest.fixture(autouse=True, scope="module")
def patience() -> Iterator[None]:
    expect.set_options(timeout=PATIENCE * 1000)
    yield
    expect.set_options(timeout=None)


@pytest.fixture
def model() -> PushedModel:
    return PushedModel()


@pytest.fixture
def chat(static_files: object, model: PushedModel) -> Iterator[Chat]:
    chat = Chat(model)
    yield chat
    chat.close()


@pytest.fixture
def proxy(chat: Chat) -> Iterator[CuttingProxy]:
    with CuttingProxy(chat.port) as proxy:
        yield proxy


Open = Callable[..., Page]


@pytest.fixture
def open_page(chat: Chat, context: BrowserContext) -> Iterator[Open]:
    """Opens a page with the chat's address and token put in."""
    values = {"url": chat.endpoint.url, "token": chat.endpoint.token}
    with served(values) as address:

        def open_page(name: str, **changes: str) -> Page:
            values.update(changes)
            page = context.new_page()
            page.goto(f"{address}/{name}")
            return page

        yield open_page


KINDS = ["eventsource.html", "fetch.html"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_appears_piece_by_piece(
    open_page: Open, chat: Chat, model: PushedModel, kind: str
) -> None:
    tutorial = TutorialPage(open_page(kind))
    bubble = tutorial.ask("你好？ a&b=c")
    call = model.call()
    expect(tutorial.status).to_have_text(MADE_UP)
    assert call.messages == [{"role": "user", "content": "你好？ a&b=c"}]
    text = ""
    for piece in PIECES:
        call.push(piece)
        text += piece
        has_text(bubble, text)
        expect(tutorial.status).to_have_text("响应中")
    call.end()

    expect(tutorial.status).to_have_text("完成")
    assert bubble.get_attribute("data-full-text") == WHOLE
    assert bubble.text_content() == WHOLE
    # Its own made-up session is a talk of its own, not the notebook's.
    assert chat.messages == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_second_question_knows_the_first(
    open_page: Open, model: PushedModel, kind: str
) -> None:
    tutorial = TutorialPage(open_page(kind))
    for question, answer in (("one", "1"), ("two", "2")):
        bubble = tutorial.ask(question)
        call = model.call()
        call.end(answer)
        has_text(bubble, answer)
        expect(tutorial.status).to_have_text("完成")
    assert [m["content"] for m in call.messages] == ["one", "1", "two"]

    other = TutorialPage(open_page(kind))
    other.ask("who am I?")
    assert [m["content"] for m in model.call().messages] == ["who am I?"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_fails_shows_its_error(open_page: Open, model: PushedModel, kind: str) -> None:
    tutorial = TutorialPage(open_page(kind))
    bubble = tutorial.ask("hello")
    call = model.call()
    call.push("so far")
    call.fail(ChatError("quota", "The quota is used up."))

    expect(tutorial.status).to_have_text("错误：The quota is used up.")
    has_text(bubble, "so far")

    bubble = tutorial.ask("again")
    model.call().end("well")
    has_text(bubble, "well")


def wait_until_stopped(tutorial: TutorialPage) -> None:
    closed = "eventSource.readyState === EventSource.CLOSED"
    tutorial.page.wait_for_function(closed, timeout=PATIENCE * 1000)


def test_an_eventsource_that_nobody_closes_stops_after_the_end(
    open_page: Open, model: PushedModel
) -> None:
    tutorial = TutorialPage(open_page("eventsource.html"))
    statuses: list[int] = []
    tutorial.page.on(
        "response", lambda r: statuses.append(r.status) if "/chat/stream" in r.url else None
    )
    bubble = tutorial.ask("hello")
    model.call().end(*PIECES)
    wait_until_stopped(tutorial)

    assert statuses == [200, 204]
    has_text(bubble, WHOLE)
    assert len(model.calls) == 1


def test_a_cut_connection_is_resumed_to_the_letter(
    open_page: Open, proxy: CuttingProxy, model: PushedModel
) -> None:
    tutorial = TutorialPage(open_page("eventsource.html", url=proxy.url))
    bubble = tutorial.ask("hello")
    call = model.call()
    text = ""
    for number, piece in enumerate(PIECES):
        call.push(piece)
        text += piece
        has_text(bubble, text)
        if number in (0, 3):
            proxy.drop()
    call.end()

    wait_until_stopped(tutorial)
    has_text(bubble, WHOLE)
    assert len(model.calls) == 1


def test_a_cut_before_the_first_token_does_not_ask_again(
    open_page: Open, proxy: CuttingProxy, model: PushedModel
) -> None:
    tutorial = TutorialPage(open_page("eventsource.html", url=proxy.url))
    bubble = tutorial.ask("hello")
    call = model.call()
    for _ in range(2):
        expect(tutorial.status).to_contain_text("已连接")
        tutorial.page.evaluate("statusDiv.textContent = '？'")
        proxy.drop()
    expect(tutorial.status).to_contain_text("已连接")
    call.end(*PIECES)

    wait_until_stopped(tutorial)
    has_text(bubble, WHOLE)
    assert len(model.calls) == 1


def test_a_cut_of_what_was_on_its_way_loses_nothing(
    open_page: Open, proxy: CuttingProxy, model: PushedModel
) -> None:
    tutorial = TutorialPage(open_page("eventsource.html", url=proxy.url))
    expect(tutorial.status).to_have_text("未连接")
    # In the middle of lines, of events, of characters: wherever it happens to be. Preflight and
    # ticket share the first connection.
    bubble = tutorial.ask("hello")
    call = model.call()
    expect(tutorial.status).to_contain_text("已连接")
    proxy.cut(700, 801, 902, 1003)
    proxy.drop()
    call.end(*PIECES * 10)

    wait_until_stopped(tutorial)
    has_text(bubble, WHOLE * 10)
    assert len(model.calls) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_that_goes_away_stops_nothing(
    open_page: Open, chat: Chat, model: PushedModel, kind: str
) -> None:
    tutorial = TutorialPage(open_page(kind))
    bubble = tutorial.ask("hello")
    call = model.call()
    call.push("a")
    has_text(bubble, "a")
    tutorial.page.close()
    call.end("b")
    assert call.closed.wait(PATIENCE)

    (talk,) = chat._registration.talks.values()
    assert [message.text for message in talk.state.path()] == ["hello", "ab"]


def test_a_wrong_token_shows_a_sentence(open_page: Open, model: PushedModel) -> None:
    tutorial = TutorialPage(open_page("fetch.html", token="wrong"))
    tutorial.ask("hello")

    expect(tutorial.status).to_have_text(
        "错误：A valid token is needed: send it as a bearer token."
    )
    assert model.calls == []


# our own client


def test_the_client_asks_one_after_the_other(open_page: Open, model: PushedModel) -> None:
    client = ClientPage(open_page("client.html"))
    client.ask("one", "two", "three")
    assert client.page.evaluate("client.waiting") == 2
    for number, question in enumerate(("one", "two", "three"), 1):
        call = model.call()
        assert len(model.calls) == number
        assert call.messages[-1]["content"] == question
        text = ""
        for piece in PIECES:
            call.push(piece)
            text += piece
            has_text(client.answer, text)
        call.end(str(number))
        expect(client.said).to_have_count(number)
    assert client.said.all_text_contents() == [f"done: {WHOLE}{n}" for n in (1, 2, 3)]
    expect(client.status).to_have_text("idle")


def test_an_abort_stops_the_model_and_the_next_question_follows(
    open_page: Open, model: PushedModel
) -> None:
    client = ClientPage(open_page("client.html"))
    client.ask("one", "two")
    call = model.call()
    call.push("so far")
    has_text(client.answer, "so far")
    client.page.evaluate("client.abort()")

    assert call.closed.wait(PATIENCE)
    expect(client.said).to_have_text(["rejected: cancelled, had so far"])
    two = model.call()
    assert [m["content"] for m in two.messages] == ["one", "so far", "two"]
    two.end("yes")
    expect(client.said).to_have_text(["rejected: cancelled, had so far", "done: yes"])


def test_an_abort_before_the_first_token_stops_the_model_too(
    open_page: Open, model: PushedModel
) -> None:
    client = ClientPage(open_page("client.html"))
    client.ask("one")
    call = model.call()
    expect(client.status).to_have_text("thinking")
    client.page.evaluate("client.abort()")

    assert call.closed.wait(PATIENCE)
    expect(client.said).to_have_text(["rejected: cancelled, had "])


def test_the_client_comes_back_by_itself_and_asks_once(
    open_page: Open, proxy: CuttingProxy, model: PushedModel
) -> None:
    client = ClientPage(open_page("client.html", url=proxy.url))
    client.ask("one")
    call = model.call()
    expect(client.status).to_have_text("thinking")
    text = ""
    proxy.drop()
    for piece in PIECES:
        call.push(piece)
        text += piece
        has_text(client.answer, text)
        proxy.drop()
    call.end()

    expect(client.said).to_have_count(1)
    assert client.said.all_text_contents() == [f"done: {WHOLE}"]
    assert len(model.calls) == 1


def test_a_retry_goes_on_where_the_connection_broke(
    open_page: Open, proxy: CuttingProxy, model: PushedModel
) -> None:
    client = ClientPage(open_page("client.html", url=proxy.url))
    client.ask("one")
    call = model.call()
    call.push("so ")
    has_text(client.answer, "so ")
    proxy.refuse()
    call.push("far ")
    expect(client.said).to_have_count(2)
    assert client.said.nth(1).text_content() == "rejected: connection, had so "
    call.end("so good")
    proxy.admit()
    client.page.evaluate("void again()")

    expect(client.said).to_have_count(3)
    assert client.said.nth(2).text_content() == "done: so far so good"
    assert len(model.calls) == 1


def test_a_retry_after_a_failure_asks_the_model_again(open_page: Open, model: PushedModel) -> None:
    client = ClientPage(open_page("client.html"))
    client.ask("one")
    model.call().fail(ChatError("server", "The service is down.", retryable=False))
    expect(client.said).to_have_text(["server: The service is down.", "rejected: server, had "])
    client.page.evaluate("void again()")
    model.call().end("up again")

    expect(client.said.nth(2)).to_have_text("done: up again")
    assert len(model.calls) == 2
