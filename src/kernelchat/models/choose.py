"""From what a user gives `Chat` to the model that answers (DESIGN.md section 4)."""

from __future__ import annotations

import difflib
import inspect
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .base import BuiltinModel

DEFAULT_MODEL = "gpt-5-mini"

CHAT_KEYWORDS = frozenset(
    "system session_id store messages script base_url api_key client first_token_timeout "  # noqa: SIM905
    "token_timeout max_retries title avatar user_avatar greeting prompts lang theme height speed "
    "cursor input transport layout tooltip tabbable".split()
)
"""What `Chat` itself takes: for suggestions only."""

SDK_OPTIONS = frozenset(
    "audio extra_body extra_headers extra_query frequency_penalty function_call functions "  # noqa: SIM905
    "logit_bias logprobs max_completion_tokens max_tokens metadata modalities moderation n "
    "parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options "
    "prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier "
    "stop store stream_options temperature timeout tool_choice tools top_logprobs top_p user "
    "verbosity web_search_options".split()
)
"""What the SDK's call takes, so that the offline assistant need not import it to know."""


def choose(
    model: object = None,
    *,
    script: Sequence[str] | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
    client: Any = None,
    options: Mapping[str, Any] | None = None,
) -> BuiltinModel:
    """The model that `Chat(model, ...)` talks to.

    Args:
        model: None (OpenAI when OPENAI_API_KEY is set, else the offline assistant), the name of a
            model, a function of (messages), an object with `stream`, or a model of ours.
        script: answers to play instead.
        base_url: address of a service that speaks OpenAI's API.
        api_key: the key for it.
        client: an `openai.AsyncOpenAI` to use instead of one of our own.
        options: the other keywords: those of the SDK's call.

    Raises:
        TypeError: an unknown keyword, or a function that cannot take the messages.
        ValueError: a value that cannot be right.
        ImportError: the SDK is needed and missing or too old.
        ChatError: kind `auth`; OpenAI is asked for and there is no key.
    """
    options = dict(options or {})
    _check_temperature(options)
    service = {"base_url": base_url, "api_key": api_key, "client": client}
    given = [name for name, value in service.items() if value is not None]
    if client is not None and (base_url is not None or api_key is not None):
        raise ValueError("client already has an address and a key: leave out base_url and api_key.")
    if script is not None:
        if model is not None:
            raise ValueError("Give Chat a model or a script, not both.")
        _refuse([*given, *options], "a script")
        from .script import ScriptModel

        return ScriptModel(script)
    if isinstance(model, str):
        return _openai(_checked_name(model), base_url, api_key, client, options)
    if model is not None:
        chosen = _own(model)
        _refuse([*given, *options], "a model of your own")
        return chosen
    if given or os.environ.get("OPENAI_API_KEY", "").strip():
        return _openai(_default_name(base_url), base_url, api_key, client, options)
    _check_options(options, SDK_OPTIONS)
    from .offline import OfflineModel

    return OfflineModel()


def _openai(
    name: str,
    base_url: str | None,
    api_key: str | None,
    client: Any,
    options: Mapping[str, Any],
) -> BuiltinModel:
    from .openai import OpenAIModel, option_names

    _check_options(options, option_names())
    return OpenAIModel(name, base_url=base_url, api_key=api_key, client=client, options=options)


def _own(model: object) -> BuiltinModel:
    if inspect.isclass(model):
        raise ValueError(f"{model.__name__} is a class: make one first, Chat({model.__name__}()).")
    if isinstance(model, BuiltinModel):
        return model
    from .function import FunctionModel, ObjectModel

    if callable(getattr(model, "stream", None)):
        return ObjectModel(model)
    if callable(model):
        return FunctionModel(model)
    raise ValueError(
        "The model must be a model's name, a function of (messages) or an object with "
        f"stream(messages), not {type(model).__name__}."
    )


def _checked_name(name: str) -> str:
    advice = 'Chat("gpt-5-mini", '
    if not name.strip():
        raise ValueError("The model's name is empty: leave it out, or write " + advice[:-2] + ").")
    if re.match(r"https?://", name):
        raise ValueError(f"An address goes into base_url: {advice}base_url=...).")
    if re.match(r"sk-\S{16,}$", name):
        raise ValueError(f"A key goes into api_key, not into the place of the model: {advice}...).")
    return name


def _default_name(base_url: str | None) -> str:
    name = os.environ.get("KERNELCHAT_MODEL", "").strip()
    if not name and base_url is not None:
        raise ValueError('base_url needs the name of a model there: Chat("qwen3", base_url=...).')
    return name or DEFAULT_MODEL


def _refuse(names: Sequence[str], what: str) -> None:
    if names:
        name = names[0]
        if name in SDK_OPTIONS or name in ("base_url", "api_key", "client"):
            raise TypeError(f"{name} is only for OpenAI models: leave it out beside {what}.")
        raise TypeError(_unknown(name, CHAT_KEYWORDS))


def _check_options(options: Mapping[str, Any], known: frozenset[str]) -> None:
    for name in options:
        if name not in known:
            raise TypeError(_unknown(name, known | CHAT_KEYWORDS))


def _unknown(name: str, known: frozenset[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    hint = f"did you mean {close[0]}?" if close else "see help(Chat) for those it knows."
    return f"Chat takes no keyword {name}: {hint}"


def _check_temperature(options: Mapping[str, Any]) -> None:
    value = options.get("temperature")
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 2:
        raise ValueError(f"temperature must be a number from 0 to 2, not {value!r}.")
