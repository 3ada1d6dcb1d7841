from __future__ import annotations

import pytest

from kernelchat.errors import ChatError
from kernelchat.models.keys import OPENAI_URL, PLACEHOLDER, access

ENV = {"OPENAI_API_KEY": "sk-env"}
PROXY = {**ENV, "OPENAI_BASE_URL": "https://gateway.test/v1"}


@pytest.mark.parametrize(
    ("base_url", "api_key", "environ", "url", "key"),
    [
        (None, None, ENV, OPENAI_URL, "sk-env"),
        (None, "sk-given", ENV, OPENAI_URL, "sk-given"),
        (None, None, PROXY, "https://gateway.test/v1", "sk-env"),
        ("https://gateway.test/v1/", None, PROXY, "https://gateway.test/v1/", "sk-env"),
        ("HTTPS://Gateway.test:443/v1", None, PROXY, "HTTPS://Gateway.test:443/v1", "sk-env"),
        ("https://other.test/v1", None, ENV, "https://other.test/v1", PLACEHOLDER),
        ("https://other.test/v1", None, PROXY, "https://other.test/v1", PLACEHOLDER),
        ("https://other.test/v1", " sk-given\n", ENV, "https://other.test/v1", "sk-given"),
        ("http://gateway.test/v1", None, PROXY, "http://gateway.test/v1", PLACEHOLDER),
        ("https://gateway.test:8443/v1", None, PROXY, "https://gateway.test:8443/v1", PLACEHOLDER),
        ("https://gateway.test/v2", None, PROXY, "https://gateway.test/v2", PLACEHOLDER),
        ("https://gateway.test.evil.test/v1", None, PROXY, None, PLACEHOLDER),
        ("https://gateway.test@evil.test/v1", None, PROXY, None, PLACEHOLDER),
        ("https://api.openai.com.evil.test/v1", None, ENV, None, PLACEHOLDER),
        (None, None, {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}, None, PLACEHOLDER),
    ],
)
def test_the_environments_key_goes_to_the_environments_address_only(
    base_url: str | None, api_key: str | None, environ: dict[str, str], url: str | None, key: str
) -> None:
    found = access(base_url, api_key, environ)
    assert found.api_key == key
    if url is not None:
        assert found.base_url == url
    assert "sk-" not in repr(found)


@pytest.mark.parametrize(
    ("base_url", "environ"),
    [
        (None, {}),
        (None, {"OPENAI_API_KEY": " "}),
        (OPENAI_URL, {}),
        (OPENAI_URL, PROXY),
    ],
)
def test_openai_itself_needs_a_key(base_url: str | None, environ: dict[str, str]) -> None:
    with pytest.raises(ChatError) as caught:
        access(base_url, None, environ)
    assert caught.value.kind == "auth"
    assert "sk-" not in caught.value.message


def test_a_bad_address_in_the_environment_is_told() -> None:
    with pytest.raises(ValueError, match="OPENAI_BASE_URL must be an address"):
        access(None, None, {"OPENAI_BASE_URL": "gateway"})


def test_a_message_names_the_host_without_user_or_path() -> None:
    assert access("https://me:secret@host.test:8443/v1", "k", {}).host == "host.test:8443"
