"""What no server should do to us: drip, burst, cut, redirect, lie."""

import gzip
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import traceback
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from pco.ground.errors import BadConfig, BadData
from pco.outside.plane import Forbidden, Gone, Plane, Refused, Throttled, Unanswered
from pco.outside.rates import Budget
from programs.scripted_server import reply, scripted
from support import TOP

TOKEN = "plane_api_a_secret"
PROJECT = "6fb4192b-77e8-4d8e-85fe-ed3a8609522a"
ITEM = "2398a73d-2bb9-4e60-ad7a-1839cdfde5e6"
STATE = "f941cc45-9d28-4c07-8ce1-cdd067eb6913"
ME = {"id": ITEM, "first_name": "", "last_name": "", "email": "", "display_name": "pco"}
GOOD = reply(200, ME)
SOON = timedelta(seconds=0.4)


def client(server, patience=0.0, timeout=5.0, **more):
    return Plane(server.url, "acme", TOKEN, timedelta(seconds=timeout), patience=timedelta(seconds=patience), **more)


def drip(data, pause=0.02):
    def send(connection):
        for byte in data:
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                return
            time.sleep(pause)

    return send


def hang(connection):
    time.sleep(1.2)


def failure(server, **more):
    """How asking who we are fails."""
    with pytest.raises(Unanswered) as caught:
        client(server, **more).me()
    return caught.value


# --- time


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X-Header: y\r\n" * 100,
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b" " * 1000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 200,
    ],
    ids=["head", "body", "chunks"],
)
def test_a_server_that_drips_bytes_for_ever_does_not_hang_us_longer_than_the_timeout(data):
    begun = time.monotonic()
    half = len(data) // 2
    with scripted(lambda c: (c.sendall(data[:20]), drip(data[20:half])(c))) as server:
        error = failure(server, timeout=0.4)
        assert time.monotonic() - begun < 1.5
        assert str(error) == "Plane did not answer within 0.4s"
        assert not error.maybe_applied


def test_a_server_that_says_nothing_does_not_hang_us():
    with scripted(hang) as server:
        begun = time.monotonic()
        assert "did not answer within 0.4s" in str(failure(server, timeout=0.4))
        assert time.monotonic() - begun < 1


def test_a_write_waits_longer_than_a_read():
    def late(data):
        return lambda connection: (time.sleep(0.8), connection.sendall(data))

    with scripted(late(reply(201, {"id": STATE}))) as server:
        assert client(server, timeout=0.2).comment(PROJECT, ITEM, "<p>x</p>", "k") == STATE
        failure(server, timeout=0.2)


def test_a_server_that_takes_no_connection_does_not_hang_us():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # they fill the queue of those who wait to be accepted
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        plane = Plane(f"http://127.0.0.1:{listener.getsockname()[1]}", "acme", TOKEN, SOON, patience=timedelta(0))
        with pytest.raises(Unanswered, match=r"took no connection within 0\.13s"):
            plane.me()
        for one in waiting:
            one.close()


def test_a_connection_that_is_refused_says_so_and_nothing_was_applied():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    plane = Plane(url, "acme", TOKEN, timedelta(seconds=2), patience=timedelta(0))

    with pytest.raises(Unanswered, match="no connection to Plane: Connection refused") as caught:
        plane.comment(PROJECT, ITEM, "<p>x</p>", "k")

    assert not caught.value.maybe_applied
    assert [call.status for call in plane.calls] == [0]


# --- size, coding, JSON


def test_a_compression_bomb_is_stopped_before_it_is_large():
    script = """
import resource, sys
from datetime import timedelta
from pco.outside.plane import Plane, Unanswered
import pco.outside.plane_wire
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    Plane(sys.argv[1], "acme", "token", timedelta(seconds=20), patience=timedelta(0)).me()
except Unanswered as error:
    print(error, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(400)) + packer.flush()
    with scripted(reply(200, raw=bomb, Content_Encoding="gzip")) as server:
        environment = {**os.environ, "PYTHONPATH": str(TOP / "lib")}
        command = [sys.executable, "-c", script, server.url]
        said = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout

    assert said.startswith("Plane's answer is larger than 16 MiB")
    assert int(said.split()[-1]) < 120  # MiB; unpacked it has 400


def test_a_plain_flood_is_stopped():
    def flood(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                connection.sendall(b" " * (1 << 20))
        except OSError:
            return

    with scripted(flood) as server:
        assert "larger than 16 MiB" in str(failure(server))


def test_codings_in_a_row_are_refused_for_they_multiply():
    body = gzip.compress(gzip.compress(json.dumps(ME).encode()))
    with scripted(reply(200, raw=body, Content_Encoding="gzip, gzip"), GOOD) as server:
        assert "coded as nobody asked for" in str(failure(server, patience=5))
        assert len(server.requests) == 1


def test_gzip_is_read():
    with scripted(reply(200, raw=gzip.compress(json.dumps(ME).encode()), Content_Encoding="gzip")) as server:
        assert client(server).me().name == "pco"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (reply(200, raw=b'{"a": 1}  ', Content_Length="2000"), "cut off|broke"),
        (reply(200, raw=gzip.compress(b'{"a": 1}' * 99)[:-9], Content_Encoding="gzip"), "cut off"),
        (reply(200, raw=b"no gzip", Content_Encoding="gzip"), "damaged: not gzip"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}   \r\n", "broke"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}", "broke"),
        (b"rubbish\r\n\r\n", "broke"),
        (b"", "closed by the other side"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n{}", "broke"),
        (reply(200, raw=b'{"id": '), "not JSON"),
        (reply(200, raw=b'"\xff\xfe"'), "not JSON"),
        (reply(200, raw=b"[" * 200_000), "not JSON"),
        (reply(200, raw=b'{"a": NaN}'), "not JSON"),
        (reply(200, raw=b'{"a": 1' + b"0" * 6000 + b"}"), "not JSON"),
        (reply(200, raw=json.dumps(ME).encode("utf-16")), "not JSON"),
        (reply(200, raw=b"<!DOCTYPE html><h1>Welcome to nginx!</h1>"), "a page of HTML"),
        (reply(502, raw=b"<h1>Bad Gateway</h1>"), "Plane failed: 502"),
        (reply(404, raw=b"<h1>Not Found</h1>"), "not from Plane"),
        (reply(204, raw=b""), "not JSON"),
        (reply(200, raw=b"", Content_Length="9" * 6000), "not JSON|broke"),
    ],
)
def test_what_is_no_answer_is_said_and_never_a_traceback(answer, said):
    with scripted(answer) as server:
        with pytest.raises(Unanswered, match=said):
            client(server).me()


def test_json_of_the_wrong_shape_names_what_is_wrong():
    for wrong in ([], "x", {"id": 5}, {**ME, "display_name": []}):
        with scripted(reply(200, wrong)) as server, pytest.raises(BadData, match="users/me"):
            client(server).me()


# --- pages


def label(number):
    return {"id": f"{number:08d}-0000-4000-8000-000000000000", "name": f"label {number}"}


def page(*rows, more):
    return reply(200, {"results": rows, "total_count": 3, "next_page_results": more, "next_cursor": "1000:1:0"})


def remark(number):
    row = {"id": f"{number:08d}-0000-4000-8000-000000000000", "created_at": "2026-11-22T20:40:22Z", "actor": ITEM}
    return row | {"comment_html": f"{number}", "external_source": None, "external_id": None}


def test_rows_that_shifted_to_the_next_page_come_once():
    with scripted(page(remark(1), remark(2), more=True), page(remark(2), remark(3), more=False)) as server:
        assert [comment.html for comment in client(server).comments(PROJECT, ITEM)] == ["1", "2", "3"]

    assert b"cursor=1000%3A0%3A0" in server.requests[0]
    assert b"cursor=1000%3A1%3A0" in server.requests[1]


def test_a_list_that_does_not_end_is_given_up():
    for endless, most in ((page(label(1), more=True), 2000), (page(more=True), 1)):
        with scripted(endless) as server:
            with pytest.raises(BadData, match="list of labels does not end"):
                client(server).labels(PROJECT)
            assert len(server.requests) == most


def test_an_item_too_large_by_itself_is_said():
    with scripted(reply(200, raw=gzip.compress(b" " * (17 << 20)), Content_Encoding="gzip")) as server:
        with pytest.raises(Unanswered, match="larger than 16 MiB"):
            next(client(server, timeout=20).items(PROJECT, per_page=30))

    sizes = [int(request.partition(b"per_page=")[2].split(b"&")[0]) for request in server.requests]
    assert sizes == [30, 15, 5, 1]


# --- redirects, credentials


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status):
    with scripted(GOOD) as elsewhere, scripted(reply(status, {}, Location=elsewhere.url + "/x/")) as server:
        error = failure(server, patience=5)

        assert f"{status}: redirects to {elsewhere.url}/x/" in str(error)
        assert len(server.requests) == 1  # it would not help to ask again
        assert elsewhere.requests == []


def test_the_body_of_a_redirect_is_no_way_around_the_limit():
    bomb = gzip.compress(b" " * (64 << 20))
    with scripted(reply(302, raw=bomb, Location="/x/", Content_Encoding="gzip")) as server:
        assert "larger than 16 MiB" in str(failure(server))


def test_netrc_proxies_and_cookies_are_left_alone(tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    with scripted(reply(200, ME, Set_Cookie="session-id=1"), GOOD) as server:
        plane = client(server)
        plane.me()
        plane.me()

    assert all(b"authorization" not in r.lower() and b"cookie" not in r.lower() for r in server.requests)


def test_the_token_goes_out_in_its_header_and_nowhere_into_messages():
    echo = {"error": f"bad header X-API-Key: {TOKEN}"}
    for answer in (reply(400, echo), reply(500, echo), reply(403, {"detail": TOKEN}), reply(301, {}, Location=TOKEN)):
        with scripted(answer) as server:
            plane = client(server)
            with pytest.raises((Refused, Unanswered, Forbidden)) as caught:
                plane.me()
        assert f"X-API-Key: {TOKEN}".lower().encode() in server.requests[0].lower()
        told = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(plane) + str(vars(plane))
        assert TOKEN not in told
    with scripted(b"") as server:
        error = failure(server)
    assert TOKEN not in "".join(traceback.format_exception(error))
    assert error.__cause__ is None


@pytest.mark.parametrize("token", ["", "a b", "a\nX-Other: 1", "ä", "x" * 501])
def test_a_token_that_is_none_is_refused_unspoken(token):
    with pytest.raises(BadConfig) as caught:
        Plane("https://plane.example.org", "acme", token, SOON)

    assert not token or token not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "plane.example.org",
        "ftp://plane.example.org",
        "file:///etc/passwd",
        "https://",
        "https://user:secret@plane.example.org",
        "https://plane.example.org:99999",
        "https://plane.example.org/?x=1",
        "https://plane.example.org/#x",
        "https://plane.example.org/a b",
        "https://[::1",
        "https://plane.example.org\r\nX: y",
    ],
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(BadConfig, match=r"plane\.url") as caught:
        Plane(url, "acme", TOKEN, SOON)

    assert "secret" not in str(caught.value)


def test_a_prefix_and_a_slash_at_the_end_of_the_address_are_fine():
    with scripted(GOOD) as server:
        for end in ("", "/", "/plane", "/plane/"):
            Plane(server.url + end, "acme", TOKEN, SOON).me()

    paths = [request.split()[1] for request in server.requests]
    assert paths == [b"/api/v1/users/me/"] * 2 + [b"/plane/api/v1/users/me/"] * 2


@pytest.mark.parametrize("workspace", ["", "a/b", "..", "a b", "x?y", "ä"])
def test_a_workspace_that_is_none_is_refused(workspace):
    with pytest.raises(BadConfig, match=r"plane\.workspace"):
        Plane("https://plane.example.org", workspace, TOKEN, SOON)


def test_ids_that_are_none_never_get_into_a_path():
    with scripted(GOOD) as server:
        plane = client(server)
        for ask in (
            lambda: plane.item(PROJECT, "../../users/me"),
            lambda: plane.states("x"),
            lambda: plane.comments(PROJECT, ""),
            lambda: plane.set_state(PROJECT, ITEM, "Todo"),
            lambda: plane.by_identifier("WEB"),
            lambda: plane.by_identifier("WEB-abc"),
            lambda: plane.by_identifier(""),
        ):
            with pytest.raises(BadData):
                ask()

    assert server.requests == []


def test_a_strange_identifier_is_quoted():
    with scripted(reply(404, {"error": "The requested resource does not exist."})) as server:
        with pytest.raises(Gone):
            client(server).by_identifier("É /..?#-12")

    assert server.requests[0].split()[1] == b"/api/v1/workspaces/acme/work-items/%C3%89%20%2F..%3F%23-12/"


def test_an_untrusted_certificate_is_said_and_the_token_is_not_sent(tmp_path):
    pem = tmp_path / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", pem, "-out", tmp_path / "cert.pem"]
        + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", pem)
    shaken = []

    def shake(listener):
        connection, _ = listener.accept()
        try:
            context.wrap_socket(connection, server_side=True)
            shaken.append("whole")
        except OSError:
            shaken.append("refused")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=shake, args=(listener,), daemon=True)
        thread.start()
        plane = Plane(f"https://localhost:{listener.getsockname()[1]}", "acme", TOKEN, timedelta(seconds=5))
        with pytest.raises(Unanswered, match="certificate is not trusted") as caught:
            plane.comment(PROJECT, ITEM, "<p>x</p>", "k")
        thread.join(5)

    assert not caught.value.maybe_applied
    assert shaken == ["refused"]


# --- again, and not again


def test_a_read_is_tried_three_times_and_no_more():
    with scripted(b"", reply(500, {}), GOOD) as server:
        plane = client(server, patience=10)
        assert plane.me().name == "pco"
        assert [call.status for call in plane.calls] == [0, 500, 200]
    with scripted(reply(500, {}), reply(500, {}), reply(500, {}), GOOD) as server:
        failure(server, patience=10)
        assert len(server.requests) == 3


def test_a_read_is_not_tried_again_when_the_patience_is_at_its_end():
    with scripted(hang, GOOD) as server:
        failure(server, timeout=0.3, patience=0.2)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer", [b"", reply(500, {}), reply(502, raw=b"<p>"), reply(200, raw=b"{"), reply(201, {}), reply(302, {})]
)
@pytest.mark.parametrize("verb", ["comment", "set_state"])
def test_a_write_is_sent_once_and_may_have_been_applied(answer, verb):
    with scripted(answer) as server:
        plane = client(server, patience=10)
        with pytest.raises(Unanswered) as caught:
            plane.comment(PROJECT, ITEM, "<p>x</p>", "k") if verb == "comment" else plane.set_state(
                PROJECT, ITEM, STATE
            )

        assert caught.value.maybe_applied
        assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [{"error": "exists"}, {"error": "exists", "id": "x"}, []])
def test_a_conflict_without_the_id_of_the_comment_is_no_success(answer):
    with scripted(reply(409, answer)) as server, pytest.raises(Refused, match="409"):
        client(server).comment(PROJECT, ITEM, "<p>x</p>", "k")


def test_a_conflict_is_no_answer_to_a_read():
    with scripted(reply(409, ME)) as server, pytest.raises(Refused, match="409"):
        client(server).me()


def test_a_state_change_that_was_ignored_is_no_success():
    with scripted(reply(200, {"id": ITEM, "state": PROJECT})) as server, pytest.raises(Refused, match=PROJECT):
        client(server).set_state(PROJECT, ITEM, STATE)


def test_a_read_waits_out_a_short_429():
    with scripted(reply(429, {}, Retry_After="1"), GOOD) as server:
        begun = time.monotonic()
        assert client(server, patience=10).me().name == "pco"
        assert 1 <= time.monotonic() - begun < 3


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("55", 55),
        ("0", 1),
        ("999999999", 900),
        ("soon", 60),
        ("-5", 60),
        ("1e9", 60),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 1),
    ],
)
def test_a_long_429_is_handed_on_with_its_wait(header, seconds):
    with scripted(reply(429, {"error_code": 5900}, Retry_After=header)) as server:
        with pytest.raises(Throttled) as caught:
            client(server, patience=0.1).me()

    assert caught.value.retry_after == timedelta(seconds=seconds)
    assert caught.value.exit == 75


def test_the_wait_of_a_429_may_be_a_date():
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=300), usegmt=True)
    with scripted(reply(429, {"error_code": 5900}, Retry_After=date)) as server:
        with pytest.raises(Throttled) as caught:
            client(server).me()

    assert 270 < caught.value.retry_after.total_seconds() <= 300


def test_a_429_to_a_write_is_handed_on_at_once():
    with scripted(reply(429, {}, Retry_After="1"), reply(201, {"id": STATE})) as server:
        with pytest.raises(Throttled):
            client(server, patience=10).comment(PROJECT, ITEM, "<p>x</p>", "k")
        assert len(server.requests) == 1


# --- the budget


def test_polls_stop_before_the_reserve_of_posts(tmp_path):
    budget = Budget(tmp_path / "rate.json", 7)
    with scripted(GOOD) as server:
        poll, post = client(server, budget=budget), client(server, budget=budget, urgent=True)
        poll.me()
        poll.me()
        with pytest.raises(Throttled, match=r"no request to Plane for [56][0-9]s: 7 requests a minute") as caught:
            poll.me()
        for _ in range(5):
            post.me()
        with pytest.raises(Throttled):
            post.me()
        assert 50 < caught.value.retry_after.total_seconds() <= 60
        assert len(server.requests) == 7
        assert len(poll.calls) == 2  # what was not sent is no call


def test_a_429_holds_all_programs(tmp_path):
    with scripted(reply(429, {}, Retry_After="30"), GOOD) as server:
        for urgent in (False, True):
            with pytest.raises(Throttled) as caught:
                client(server, budget=Budget(tmp_path / "rate.json", 50), urgent=urgent).me()
            assert 25 < caught.value.retry_after.total_seconds() <= 30
        assert len(server.requests) == 1


def test_a_request_waits_for_its_turn_when_that_is_near(tmp_path):
    budget = Budget(tmp_path / "rate.json", 50)
    begun = time.monotonic()
    budget.hold(timedelta(seconds=0.5))
    with scripted(GOOD) as server:
        client(server, budget=budget, patience=5).me()
        assert time.monotonic() - begun >= 0.5


def test_many_processes_together_take_no_more_than_the_budget(tmp_path):
    script = """
import sys
from datetime import timedelta
from pathlib import Path
from pco.outside.rates import Budget
budget = Budget(Path(sys.argv[1]), 40)
print(sum(budget.take(urgent=True) == timedelta(0) for _ in range(25)))
"""
    environment = {**os.environ, "PYTHONPATH": str(TOP / "lib")}
    command = [sys.executable, "-c", script, str(tmp_path / "rate.json")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(4)]

    assert sum(int(process.communicate(timeout=60)[0]) for process in running) == 40


def test_importing_the_client_imports_neither_requests_nor_filelock():
    script = "import sys, pco.outside.plane; print({'requests', 'urllib3', 'filelock'} & set(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(TOP / "lib")}

    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)

    assert said.stdout == "set()\n"
