"""Chat: the widget, and what a cell calls. What streams, streams elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from .archive import Archive
from .controls import Controls
from .endpoint import Endpoint
from .errors import ChatError
from .library import Library
from .look import LOOK, check_look, check_retries, check_seconds
from .widget import ChatWidget

if TYPE_CHECKING:
    from .session import Session
    from .store import Talk

F = TypeVar("F", bound=Callable[[Any], object])
_WIDGET_KEYWORDS = frozenset({"layout", "tooltip", "tabbable"})
_MODEL_KEYWORDS = ("script", "base_url", "api_key", "client")


class Chat(Controls, Library, Archive, ChatWidget):
    """An AI chat in a cell; the same object is driven from Python.

    ```python
    chat = Chat()                                  # OpenAI if OPENAI_API_KEY is set, else offline
    chat = Chat("gpt-5-mini", system="You are a support agent.")
    chat = Chat("qwen3", base_url="http://127.0.0.1:11434/v1")
    chat = Chat(my_function)                       # of (messages); def, async def or a generator
    chat                                           # shows it
    print(chat.ask("hello").result())
    ```

    Methods may be called from any thread but `observe` handlers, and do not block, unless theirs
    says so. The chat ends with `close()`, not when nobody holds it any more.

    Args:
        model: a model's name, a function of (messages), an object with `stream(messages)`, or None.
        system: the system prompt.
        session_id: names the conversation; the same name again in one kernel is the same one.
        store: keeps the conversation: a path such as "chats.sqlite", or an object with `load` and
            `save` (see `kernelchat.Store`).
        messages: `{"role", "content"}` dicts (or a `kernelchat.Talk`) to begin with, where nothing
            was said yet.
        script: answers to play instead of asking a model.
        base_url: address of a service that speaks OpenAI's API.
        api_key: its key; by default the environment's, which goes only to the address it is for.
        client: an `openai.AsyncOpenAI` of your own.
        first_token_timeout: seconds to wait for a model's first token.
        token_timeout: seconds to wait between tokens.
        max_retries: how often to ask a failing service again, before the first token only.
        title: the header's title.
        avatar: a letter or two for the assistant.
        user_avatar: the same for the user.
        greeting: what an empty chat says.
        prompts: questions that an empty chat offers.
        lang: "en", "zh", or "auto" for the notebook's.
        theme: "auto" (the notebook's), "light", "dark" or "classic".
        height: pixels.
        speed: of the typewriter, characters per second, or "instant".
        cursor: its character; None for no cursor.
        input: False hides the input box.
        transport: "auto", or "direct", "proxy", "comm" to pin the road to the kernel.
        options: what the SDK's call takes (`temperature`, `max_tokens`, ...), and ipywidgets' own
            `layout`, `tooltip`, `tabbable`.

    Raises:
        TypeError: an unknown keyword, or a value of a wrong type.
        ValueError: a value that cannot be.
        ImportError: the `openai` package is needed and missing.
        ChatError: kind `auth`, a key is needed and missing; kind `input`, bad `messages`.
    """

    def __init__(
        self,
        model: object = None,
        *,
        system: str = "",
        session_id: str | None = None,
        store: object = None,
        messages: Sequence[Mapping[str, Any]] | Talk | None = None,
        script: Sequence[str] | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        client: Any = None,
        first_token_timeout: float = 60.0,
        token_timeout: float = 30.0,
        max_retries: int = 2,
        transport: str | None = None,
        **options: Any,
    ) -> None:
        # Imported with the first chat: what serves and what asks costs more than the widget.
        from .callbacks import Callbacks
        from .commands import check_id, check_messages, new_id
        from .models.choose import choose
        from .runtime import runtime
        from .session import Session
        from .store import Talk
        from .turn import Limits

        self._bind()
        widget = {name: options.pop(name) for name in _WIDGET_KEYWORDS & options.keys()}
        look = {name: check_look(name, options.pop(name)) for name in LOOK & options.keys()}
        if transport is None:
            transport = os.environ.get("KERNELCHAT_TRANSPORT") or "auto"
        choice = check_look("transport", transport)
        limits = Limits(
            check_seconds("first_token_timeout", first_token_timeout),
            check_seconds("token_timeout", token_timeout),
            check_retries("max_retries", max_retries),
        )
        _check_system(system)
        if session_id is not None:
            check_id(session_id, "session_id")
        talk, said = (messages, None) if isinstance(messages, Talk) else (None, messages)
        if said is not None:
            check_messages(said)
        service = {"script": script, "base_url": base_url, "api_key": api_key, "client": client}
        self._service = {**service, "options": options}
        self._model: Any = choose(model, **self._service)
        self._limits = limits
        self._runtime = runtime()
        port = 0 if choice == "comm" else self._runtime.listen()

        session_id = session_id or new_id()
        session = self._runtime.registry.shared(session_id)
        named = model is not None or any(value is not None for value in service.values())
        self._store = None if store is None else self._runtime.store_thread(store)
        if session is None:
            session = Session(session_id, self._model, system=system, limits=limits)
            self._keep(session, talk)
        elif named:
            session.model, session.limits = self._model, limits
        else:
            self._model = session.model
        if system:
            session.system = system
        self._system: str = session.system
        self._session: Session = session
        self._callbacks = Callbacks(self._report, self._on_status)
        # All before the comm opens: a view may speak as soon as it does, on another thread.
        self._join(choice, port, said or ())
        self._closed = False
        try:
            super().__init__(**widget, **look)
        except BaseException:
            self._closed = True
            self._leave()
            raise

    def _keep(self, session: Session, begin: Talk | None) -> None:
        thread = self._store
        kept, trouble = None, ""
        if thread is not None:
            try:
                kept = thread.run(lambda: thread.store.load(session.session_id))
            except Exception as error:  # noqa: BLE001 - a store of the user's may raise anything
                trouble = f"What was kept could not be read: {error}"
        talk = kept if kept and kept.messages else begin
        if talk or thread:
            self._runtime.thread.run(session.begin, talk, thread, talk is kept)
        if trouble:
            self._runtime.thread.run(session.conversation.notice, "warning", "store", trouble)

    def _join(self, choice: str, port: int, messages: Sequence[Mapping[str, Any]]) -> None:
        from .comm import CommCarrier
        from .commands import new_id
        from .registry import Registration
        from .shelf import Shelf

        runtime, session = self._runtime, self._session
        values = {
            "port": port,
            "instance": runtime.registry.instance,
            "widget_id": new_id(),
            "transport_choice": choice,
        }
        for name, value in values.items():
            self.set_trait(name, value)
        self._name()
        self._show_model()
        chat = self._registration = Registration(
            self.widget_id, session, self._new_talk, self._page_config, self._post
        )
        chat.shelf = Shelf(runtime.registry, chat, self._store, self._new_session, self._turn_to)
        hop = runtime.thread.call
        self._carrier = runtime.thread.run(
            CommCarrier, session, self._post, runtime.pacer, hop, self._on_view
        )
        if messages and not session.state.ids():
            runtime.thread.run(session.conversation.seed, messages)
        self._callbacks.follow(session)
        self.on_msg(lambda _, content, buffers: self._receive(content))
        runtime.registry.add(chat)
        runtime.thread.submit(self._warm(self._model))

    # what answers

    @property
    def system(self) -> str:
        """The system prompt; a new one counts from the next turn on."""
        return self._system

    @system.setter
    def system(self, value: str) -> None:
        self._system = _check_system(value)
        for session in self._sessions():
            session.system = value

    @property
    def model(self) -> object:
        """What answers. Set a name, a function or an object; it counts from the next turn on."""
        return self._model

    @model.setter
    def model(self, value: object) -> None:
        from .models.choose import choose

        service = self._service if isinstance(value, str) else {}
        service = {name: v for name, v in service.items() if name != "script"}
        old, self._model = self._model, choose(value, **service)
        for session in self._sessions():
            session.model = self._model
        self._show_model()
        self._runtime.thread.submit(self._warm(self._model))
        self._runtime.thread.submit(self._retire(old, self._sessions()))

    # callbacks

    def on_token(self, callback: F) -> F:
        """Calls `callback` with each `Token`, in order, on the chat's callback thread.

        Sync or async. The same function defined again (a cell run twice) replaces the first.

        Raises:
            TypeError: it does not take one argument.
        """
        self._callbacks.add("token", callback)
        return callback

    def on_done(self, callback: F) -> F:
        """Calls `callback` with the `Message` when an answer ended; see `on_token`."""
        self._callbacks.add("done", callback)
        return callback

    def on_error(self, callback: F) -> F:
        """Calls `callback` with the `ChatError` when an answer failed; see `on_token`."""
        self._callbacks.add("error", callback)
        return callback

    def off(self, callback: Callable[[Any], object]) -> None:
        """Forgets a callback.

        Raises:
            ValueError: it was not registered.
        """
        if not self._callbacks.remove(callback):
            name = getattr(callback, "__name__", callback)
            raise ValueError(f"{name} is no callback of this chat.")

    # other ways in

    @property
    def endpoint(self) -> Endpoint:
        """Where a client of your own finds this chat: `.url`, `.token`, `.session_id`.

        Raises:
            ChatError: kind `input`, this chat serves no HTTP; kind `connection`, its port was
                closed by something else in this process.
        """
        self._check_served()
        url = f"http://127.0.0.1:{self._runtime.thread.port}"
        return Endpoint(url, self._registration.token, self.session_id)

    def link(self) -> str:
        """A link, good once and for ten minutes, that opens this chat as a page of its own.

        Raises:
            ChatError: kind `input`, this chat serves no HTTP; kind `connection`, its port was
                closed by something else in this process.
        """
        self._check_served()
        code = self._runtime.registry.link_code(self.widget_id)
        return f"http://127.0.0.1:{self._runtime.thread.port}/#code={code}"

    def close(self) -> None:
        """Ends the chat: its answer, callbacks and views. Blocks for under 2 s; twice is fine."""
        if not getattr(self, "_closed", True):
            self._closed = True
            self._leave()
        super().close()

    def _leave(self) -> None:
        runtime = self._runtime
        runtime.registry.remove(self.widget_id)
        if runtime.alive:
            ended = runtime.thread.submit(self._end())
            until = time.monotonic() + 1.5
            while not ended.done() and time.monotonic() < until:
                time.sleep(0.005)
        if self._shown is not None:
            self._shown.close()
        self._callbacks.close()

    async def _end(self) -> None:
        shared = self._runtime.registry.sessions()
        sessions = [session for session in self._sessions() if session not in shared]
        for session in sessions:
            await session.close()
        self._carrier.close()
        await self._retire(self._model, sessions)

    # within

    def _check_served(self) -> None:
        self._check_open()
        if not self.port:
            raise ChatError("input", 'With transport="comm" a chat has no address; leave it out.')
        if not self._runtime.thread.serving:
            raise ChatError("connection", "The chat's port was closed: restart the kernel.")

    def _sessions(self) -> list[Session]:
        return self._registration.sessions()

    def _new_talk(self, session_id: str) -> Session:
        talk = self._new_session(session_id)
        self._callbacks.follow(talk)
        return talk

    def _show_model(self) -> None:
        self.set_trait("model_label", self._model.label)
        self.set_trait("model_connected", self._model.connected)

    def _page_config(self) -> Mapping[str, Any]:
        names = LOOK - {"height", "input"} | {"model_label", "model_connected"}
        return {name: getattr(self, name) for name in names}

    async def _warm(self, model: Any) -> None:
        try:
            await model.warm()
        except Exception as error:  # noqa: BLE001 - the first turn meets it again and says so
            self._session.conversation.notice("warning", "model", str(error))

    async def _retire(self, model: Any, sessions: Sequence[Session]) -> None:
        # Other chats may use it, and turns of these conversations may still read from it.
        if all(session.model is not model for session in self._runtime.registry.sessions()):
            for session in sessions:
                await session.settled()
            await model.aclose()

    def _post(self, content: Mapping[str, Any]) -> None:
        super().send(dict(content))

    def _report(self, text: str) -> None:
        if self._runtime.alive:
            notice = self._session.conversation.notice
            self._runtime.thread.call(notice, "error", "callback", text)

    def _on_status(self, session: Session, status: str) -> None:
        # On the callbacks' thread, since this runs the user's own observers.
        if session is self._session:
            self.set_trait("status", status)

    def _on_view(self, transport: str, origin: str) -> None:
        self._runtime.registry.admit(origin)
        self._callbacks.post(lambda: self.set_trait("transport", transport))

    def __repr__(self) -> str:
        if not hasattr(self, "_session"):
            return "Chat()"
        count = len(self.messages)
        state = "closed" if self._closed else self._session.state.status
        return f"Chat({self._model.label}, {count} message{'s' * (count != 1)}, {state})"


def _check_system(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"system must be a string, not {type(value).__name__}.")
    return value
