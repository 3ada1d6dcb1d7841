"""What pages of strangers, other users of the machine and broken clients may send.

Each gets the status of the first check that it fails, and nothing that it should not know. The
server goes on, and not a word reaches the notebook.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from kernelchat import Chat
from server.attacks import ATTACKS, BROKEN, CHUNKED, LAB, STREAM, post, preflight
from server.raw import Answer, Place, Request, connect, send
from tools.pushed import PATIENCE, PushedModel


@pytest.fixture(scope="module")
def place(static_files: object) -> Iterator[Place]:
    with_model, other = Chat(PushedModel()), Chat(PushedModel())
    endpoint, theirs = with_model.endpoint, other.endpoint
    port = int(endpoint.url.rpartition(":")[2])
    yield Place(port, endpoint.token, endpoint.session_id, theirs.token, theirs.session_id)
    assert with_model._model.calls == []
    assert with_model._registration.talks == {}
    with_model.close()
    other.close()


@pytest.fixture(autouse=True)
def silence(
    place: Place, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    """Nothing is logged or printed, and the server goes on."""
    yield
    assert send(place, Request().at(place)).status == 200
    records = [*caplog.get_records("call"), *caplog.get_records("teardown")]
    assert [r.getMessage() for r in records if r.levelno >= logging.WARNING] == []
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def check(place: Place, answer: Answer, asked_by: object = None) -> None:
    """What is true of every answer."""
    text = answer.body.decode() + str(answer.headers)
    for secret in place.secrets:
        assert secret not in text
    for trace in ("Traceback", 'File "', "site-packages", "uvicorn", "starlette"):
        assert trace.lower() not in text.lower()
    assert "server" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert "access-control-allow-credentials" not in answer.headers
    allowed = answer.headers.get("access-control-allow-origin")
    assert allowed in (None, asked_by)
    assert allowed != "*"


@pytest.mark.parametrize("name", ATTACKS)
def test_each_gets_the_status_of_its_first_fault(place: Place, name: str) -> None:
    request, status = ATTACKS[name]
    data = request.at(place).replace(b"OTHER", place.other_session_id.encode())
    if b"OTHER" in request.body:
        grown = len(place.other_session_id) - len("OTHER")
        old, new = len(request.body), len(request.body) + grown
        data = data.replace(b"Content-Length: %d" % old, b"Content-Length: %d" % new)

    answer = send(place, data, request.method)

    assert answer.status == status
    check(place, answer, request.headers.get("Origin"))
    # What is broken as HTTP never got to the guard.
    if "vary" in answer.headers:
        assert answer.headers["vary"] == "Origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
        if status >= 400 and request.method != "HEAD":
            assert set(json.loads(answer.body)) == {"error"}
    else:
        assert (answer.status, answer.ended) == (400, True)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_http_gets_400_and_the_connection_ends(place: Place, name: str) -> None:
    answer = send(place, BROKEN[name])

    assert (answer.status, answer.ended) == (400, True)
    check(place, answer)


def test_a_page_of_the_machine_may_ask_for_all_that_is_needed(place: Place) -> None:
    answer = send(place, preflight(LAB).at(place))

    assert answer.headers["access-control-allow-origin"] == LAB
    assert answer.headers["access-control-allow-methods"] == "GET, POST, OPTIONS"
    allowed = "authorization, content-type, last-event-id, x-kernelchat-token"
    assert answer.headers["access-control-allow-headers"] == allowed


@pytest.mark.parametrize("broken", [b"zz\r\n", b"5\r\nhelloXX", b"-1\r\n"])
@pytest.mark.parametrize("authorised", [True, False])
def test_a_body_that_breaks_later_ends_the_connection(
    place: Place, broken: bytes, authorised: bool
) -> None:
    headers = CHUNKED if authorised else {**CHUNKED, "Authorization": None}
    head = Request("POST", STREAM, headers).at(place)
    with connect(place.port) as connection:
        connection.sendall(head)
        if not authorised:
            # It is answered at once; the rest comes when nobody asks for it any more.
            assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")
        connection.sendall(broken)
        while connection.recv(65536):
            pass


def test_nonsense_behind_a_request_does_not_spoil_its_answer(place: Place) -> None:
    answer = send(place, Request().at(place) + b"\x00nonsense\r\n\r\n")

    assert answer.status == 200


def test_a_body_that_never_comes_harms_nobody(place: Place) -> None:
    head = post(STREAM, b"", Content_Length="100").at(place)
    with connect(place.port) as connection:
        connection.sendall(head + b'{"mess')
        assert send(place, Request().at(place)).status == 200
    with connect(place.port) as connection:
        connection.sendall(head[:40])
        assert send(place, Request().at(place)).status == 200


def test_a_head_as_long_as_jupyters_may_come_in_pieces(place: Place) -> None:
    data = Request(headers={"Cookie": "x" * 50_000}).at(place)
    with connect(place.port) as connection:
        connection.sendall(data[:40_000])
        assert send(place, Request().at(place)).status == 200
        connection.sendall(data[40_000:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_two_hundred_connections_that_say_nothing_harm_nobody(place: Place) -> None:
    silent = [connect(place.port) for _ in range(200)]
    assert send(place, Request().at(place)).status == 200
    for connection in silent:
        connection.close()


CHILD = """
import logging, sys
if sys.argv[1] == "logs":
    logging.basicConfig(level=logging.WARNING)
from kernelchat import Chat
chat = Chat(script=["hello"])
print(chat.endpoint.url, chat.endpoint.token, chat.session_id, flush=True)
sys.stdin.read()
chat.close()
"""


@pytest.mark.parametrize("logging_is", ["bare", "logs"])
def test_not_a_word_reaches_the_notebook(static_files: object, logging_is: str) -> None:
    command = [sys.executable, "-c", CHILD, logging_is]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONWARNINGS": "default"},
    ) as child:
        assert child.stdout is not None
        url, token_, session_id = child.stdout.readline().split()
        place = Place(int(url.rpartition(":")[2]), token_, session_id, "none", "none")
        for data in BROKEN.values():
            assert send(place, data).status == 400
        for request, _ in ATTACKS.values():
            send(place, request.at(place), request.method)
        with connect(place.port) as half:
            half.sendall(post(STREAM, b"", Content_Length="100").at(place))
            out, err = child.communicate("", timeout=PATIENCE)
    assert (child.returncode, out, err) == (0, "", "")
