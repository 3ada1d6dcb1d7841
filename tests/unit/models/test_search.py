"""The handbook's search: questions in other words than the handbook's own find their entry."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from kernelchat.models.choose import CHAT_KEYWORDS, SDK_OPTIONS
from kernelchat.models.handbook import Entry, Language, handbook
from kernelchat.models.search import Search
from kernelchat.models.terms import terms
from tools.questions import MANY, STRANGE

# Written before the entries, in a user's words. None shares a word with the title that it should
# find, which a test below holds.
CHINESE_SHORT = {
    "打断": "stop",
    "钩子": "callbacks",
    "配色": "theme",
    "排队": "queue",
    "隐私": "privacy",
    "重来": "regenerate",
    "秘钥": "keys",
    "闪烁": "cursor",
    "超时": "timeouts",
    "清空": "clear",
}
CHINESE_LONG = {
    "单元格还在跑的时候我能继续聊天吗": "busy",
    "怎样用自己电脑上跑的大模型": "local",
    "为什么不用轮询来拿结果": "sse",
    "我的提问会被上传到别的地方吗": "privacy",
    "回答里的恶意脚本会不会在我的页面上执行": "safety",
    "怎么把自己写的生成器接进来": "functions",
    "提问之后如何等到完整的结果再往下执行": "result",
    "网页程序怎样直接连上这个聊天": "endpoint",
    "重启内核以后之前聊过的内容还在吗": "saving",
    "同一页里放两个窗口会不会互相串消息": "two-chats",
}
ENGLISH = {
    "How can I interrupt an answer that is too long?": "stop",
    "Does it remember what I said before?": "history",
    "Can I use a model that runs on my laptop?": "local",
    "How do I plug in a generator I wrote?": "functions",
    "Is anything sent to a third party?": "privacy",
    "Where do I put my secret credentials?": "keys",
    "The text appears too slowly, make it quicker": "typewriter",
    "Will it reply while a long loop runs?": "busy",
    "How can I make it talk like a pirate?": "system",
    "Which shortcut inserts a line break?": "keyboard",
}
QUESTIONS = {**CHINESE_SHORT, **CHINESE_LONG, **ENGLISH}

# The words that come to mind first, most of them in a title.
PLAIN = {
    "停止": "stop",
    "回调": "callbacks",
    "主题": "theme",
    "你好": "hello",
    "谢谢": "thanks",
    "安装": "install",
    "how do I install it?": "install",
    "deepseek": "deepseek",
    "怎么接通义千问": "qwen",
    "ollama": "local",
    "hello": "hello",
    "thank you!": "thanks",
    "who are you?": "what",
    "你是谁": "what",
    "colab": "colab",
    "vs code": "vscode",
    "What can I ask?": "hello",
}

UNKNOWN = [
    "What's the weather like today?",
    "Who won the football match yesterday?",
    "红烧肉怎么做",
    "What is the capital of France?",
    "推荐一部好看的电影",
    "今天的股票涨了吗",
    "Write a poem about the sea",
    "谁发明了电话",
    "2 + 2 = ?",
    "asdfghjkl",
]


@pytest.fixture(scope="module")
def search() -> Iterator[Search]:
    search = Search()
    yield search
    search.close()


@pytest.mark.parametrize(("question", "entry"), {**QUESTIONS, **PLAIN}.items())
def test_a_question_finds_its_entry(search: Search, question: str, entry: str) -> None:
    found = search.find(question)
    assert found
    assert found[0].id == entry


def test_the_questions_are_worded_unlike_the_entries() -> None:
    entries = {entry.id: entry for entry in handbook()}
    for question, id_ in QUESTIONS.items():
        titles = entries[id_].titles
        shared = terms(question) & (terms(titles["en"]) | terms(titles["zh"]))
        assert not shared, (question, shared)
        for keywords in entries[id_].keywords.values():
            assert question.lower() not in keywords.lower() or len(question) <= 2


@pytest.mark.parametrize("question", UNKNOWN)
def test_what_the_handbook_does_not_know_is_not_found(search: Search, question: str) -> None:
    assert search.find(question) == []


def test_most_of_many_wordings_find_theirs(search: Search) -> None:
    found = {question: search.find(question) for question in MANY}
    hits = [q for q, entries in found.items() if entries and entries[0].id == MANY[q]]
    assert len(hits) >= 0.8 * len(MANY), set(MANY) - set(hits)
    unknown = [question for question in STRANGE if not search.find(question)]
    assert len(unknown) >= 0.9 * len(STRANGE), set(STRANGE) - set(unknown)


@pytest.mark.parametrize(
    "question", ["", "   ", "?", "的", '"', "NEAR(", "a* OR b", "stop\x00", "停止" * 500_000]
)
def test_any_text_is_a_question(search: Search, question: str) -> None:
    search.find(question)


def test_a_title_finds_its_own_entry(search: Search) -> None:
    for entry in handbook():
        for title in entry.titles.values():
            assert search.find(title)[0].id == entry.id, title


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_entry_is_complete_in_both_languages(language: Language) -> None:
    entries = handbook()
    assert len(entries) >= 36
    assert len({entry.id for entry in entries}) == len(entries)
    assert len({entry.titles[language] for entry in entries}) == len(entries)
    for entry in entries:
        assert isinstance(entry, Entry)
        assert entry.titles[language]
        assert len(entry.texts[language]) > 40
        assert entry.texts[language].count("```") % 2 == 0
        chinese = any("\u4e00" <= char <= "\u9fff" for char in entry.texts[language])
        assert chinese == (language == "zh"), entry.id


def test_the_code_of_the_handbook_is_python_that_chat_takes() -> None:
    known = CHAT_KEYWORDS | SDK_OPTIONS
    seen = 0
    for entry in handbook():
        for text in entry.texts.values():
            for code in re.findall(r"```python\n(.*?)```", text, re.S):
                tree = compile(
                    code, entry.id, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
                )
                for call in ast.walk(tree):
                    if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Chat":
                        seen += 1
                        assert {keyword.arg for keyword in call.keywords} <= known, entry.id
    assert seen > 50
