"""Trying the agent's key at servers that answer as no real one should; the key itself is never repeated."""

import socket
import traceback
from contextlib import suppress
from datetime import timedelta

import pytest

from pco.ground.errors import NotPermitted, TryLater
from pco.outside.agents.claude import login
from programs.scripted_server import reply, scripted

KEY = "sk-ant-api03-stand-in-0123456789abcdef"
WITHIN = timedelta(seconds=20)


def refusal(message):
    return {"type": "error", "error": {"type": "authentication_error", "message": message}}


def tried(url, key=KEY, within=WITHIN, **environment):
    """What comes of it; the key is nowhere in what is told of it."""
    try:
        login.proved(key, url, environment, within)
    except (NotPermitted, TryLater) as error:
        assert key not in "".join(traceback.format_exception(error))
        return error
    return None


def test_a_key_goes_by_its_own_header_and_a_token_as_a_bearer():
    with scripted(reply(200, {"data": []})) as server:
        assert tried(server.url) is None
        assert tried(server.url, "sk-ant-oat01-0123456789") is None

    one, other = (request.decode().lower() for request in server.requests)
    assert "get /v1/models?limit=1 " in one
    assert f"x-api-key: {KEY}" in one
    assert "authorization" not in one
    assert "authorization: bearer sk-ant-oat01-0123456789" in other
    assert "x-api-key" not in other


def test_a_refusal_that_repeats_the_key_is_told_without_it():
    with scripted(reply(401, refusal(f"invalid x-api-key {KEY}"))) as server:
        found = tried(server.url)
        assert str(found) == f"{server.url} refuses it: invalid x-api-key ..."

    assert isinstance(found, NotPermitted)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(401, refusal("OAuth authentication is currently not supported.")), "answers 401: OAuth"),
        (reply(403, refusal("Request not allowed")), "answers 403: Request not allowed"),
        (reply(404, raw=b"<html>\x1b[31mno such page\x07"), "answers 404: <html>[31mno such page"),
        (reply(302, Location="http://127.0.0.1:1/elsewhere"), "answers 302"),
        (reply(500, [[[]]]), "answers 500: [[[]]]"),
        (reply(529, raw=b"x" * 1_000_000), "answers 529: xxxx"),
        (b"HTTP/1.1 401 No\r\nContent-Length: 500\r\n\r\n{", "127.0.0.1"),
        (b"nonsense", "does not answer"),
        (b"", "does not answer"),
    ],
)
def test_what_is_neither_yes_nor_no_is_told_as_it_is(answer, words):
    with scripted(answer) as server:
        found = tried(server.url)

    assert words in str(found)
    assert "\x1b" not in str(found)
    assert len(server.requests) == 1


def test_a_server_that_says_nothing_is_given_up():
    def silent(connection):
        with suppress(OSError):
            connection.recv(1)

    with scripted(silent) as server:
        found = tried(server.url, within=timedelta(seconds=0.5))

    assert isinstance(found, TryLater)


def test_an_error_that_never_ends_is_given_up():
    def dripping(connection):
        connection.sendall(b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.settimeout(0.02)
        with suppress(ConnectionError, BrokenPipeError):
            while True:
                connection.sendall(b"1\r\nx\r\n")
                with suppress(TimeoutError):
                    connection.recv(1)

    with scripted(dripping) as server:
        found = tried(server.url, within=timedelta(seconds=1))

    assert "answers 500: x" in str(found)


def test_the_callers_own_proxy_and_passwords_are_left_out(monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with scripted(reply(200, {})) as server:
        assert tried(server.url) is None

    assert b"authorization" not in server.requests[0].lower()


def test_the_agents_proxy_is_passed_by_where_the_agent_would():
    with scripted(reply(200, {})) as proxy, scripted(reply(200, {})) as server:
        assert tried(server.url, HTTP_PROXY=proxy.url) is None
        assert tried(server.url, HTTP_PROXY=proxy.url, NO_PROXY="example.org,127.0.0.1") is None

    assert (len(proxy.requests), len(server.requests)) == (1, 1)


def test_a_name_that_nobody_knows_and_a_port_where_nobody_listens_are_told_apart():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    assert str(tried(f"http://127.0.0.1:{port}")) == "127.0.0.1 does not answer: Connection refused"
    assert "no-such-host.invalid does not answer: " in str(tried("http://no-such-host.invalid"))


@pytest.mark.parametrize(
    ("key", "base_url", "doubtful"),
    [
        (KEY, "", False),
        ("sk-ant-oat01-x", "", False),
        ("sk-ant-admin01-0123456789", "", True),
        ("sk-proj-0123456789", "", True),
        ("sk-proj-0123456789", "https://gateway.example.org", False),
    ],
)
def test_a_key_that_does_not_look_like_one_is_doubted_unless_a_gateway_made_it(key, base_url, doubtful):
    assert bool(login.doubt(key, base_url)) is doubtful
