"""The ways that are shipped: mail, a webhook, ntfy, against servers that write down what they get."""

import email
import email.policy
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from programs.notifying import Office, mail_server, web
from support import TOP

HOSTILE = {
    "title": "<!channel> @here a & b \x1b[31m\r\nBcc: all@example.org *x* [click](http://evil) ![i](http://evil/i)",
    "summary": "Done.\n```\n@everyone <https://evil|here>",
}


def secret(office: Office, name: str, content: str) -> str:
    """A file with a secret."""
    path = office.site.home / name
    path.write_text(content + "\n")
    path.chmod(0o600)
    return str(path)


def hear(office: Office, **fields: str) -> str:
    """A completed ticket, told of."""
    office.leave("completed-WEB-1", "completed", "WEB-1", **(fields or HOSTILE))
    return office.run()


# Mail.


def test_mail_reaches_all_addresses_with_the_words_in_headers_that_cannot_be_forged(office: Office) -> None:
    with mail_server() as server:
        mail = {"to": ["ann@example.org", "ops@example.org"], "from": "pco@example.org"}
        office.site.configure(notify={"mail": {**mail, "smtp": f"localhost:{server.port}"}})
        hear(office)

    ((sender, to, data),) = server.got
    assert ("<pco@example.org>" in sender, [line.split("<")[1] for line in to]) == (
        True,
        ["ann@example.org>", "ops@example.org>"],
    )
    found = email.message_from_bytes(data, policy=email.policy.default)
    assert "Bcc" not in found and found.get_all("To") == ["ann@example.org, ops@example.org"]
    assert found["Subject"].startswith("[pco ") and "WEB-1 is completed" in found["Subject"]
    assert found["X-Pco-Event"] == "completed" and found["Auto-Submitted"] == "auto-generated"
    assert "  Done.\r\n" in found.get_content() and "\x1b" not in found.get_content()


def test_a_mail_that_is_tried_again_is_the_same_mail(office: Office) -> None:
    with mail_server("421 not now") as deaf:
        office.site.configure(notify={"mail": {"to": ["a@example.org"], "smtp": f"localhost:{deaf.port}"}})
        said = hear(office, title="x")
    assert "mail: exit 1: mail: SMTPConnectError: (421, b'not now'); tried again" in said
    (before,) = office.under_way()
    with mail_server() as server:
        office.site.configure(notify={"mail": {"to": ["a@example.org"], "smtp": f"localhost:{server.port}"}})
        office.soon()
        office.run()

    assert f"Message-ID: <{before['id']}@".encode() in server.got[0][2]


def test_mail_by_a_program_like_sendmail(office: Office, tmp_path: Path) -> None:
    sendmail = tmp_path / "sendmail"
    sendmail.write_text(f'#!/bin/sh\nprintf "%s|" "$@" >{tmp_path}/args; cat >{tmp_path}/mail\n')
    sendmail.chmod(0o755)
    mail = {"to": ["a@example.org"], "from": "pco@example.org", "sendmail": [str(sendmail), "-C", "x"]}
    office.site.configure(notify={"mail": mail})

    hear(office, title="Grüße")

    assert (tmp_path / "args").read_text() == "-C|x|-i|-f|pco@example.org|--|a@example.org|"
    found = email.message_from_bytes((tmp_path / "mail").read_bytes(), policy=email.policy.default)
    assert found["Subject"].endswith("Grüße") and b"\r\n" not in (tmp_path / "mail").read_bytes()


def test_a_program_like_sendmail_that_fails_is_a_failure(office: Office) -> None:
    office.site.configure(notify={"mail": {"to": ["a@example.org"], "sendmail": ["/bin/false"]}})

    assert "mail: exit 1: /bin/false: exit 1; tried again" in hear(office)


def test_a_password_is_never_sent_without_tls_to_another_machine(office: Office) -> None:
    with mail_server() as server:
        mail = {"to": ["a@example.org"], "smtp": f"127.0.0.1:{server.port}", "tls": "starttls", "user": "pco"}
        office.site.configure(notify={"mail": {**mail, "password_file": secret(office, "password", "s3cret")}})
        said = hear(office)

    assert "STARTTLS" in said
    assert server.got == [] and "s3cret" not in said


# A webhook.


def test_a_webhook_gets_text_in_which_nobody_is_called_and_nothing_is_a_link(office: Office) -> None:
    with web() as server:
        url = f"http://127.0.0.1:{server.port}/services/T1/s3cret"
        webhook = {"url_file": secret(office, "url", url)}
        office.site.configure(notify={"webhook": webhook, "url": "https://board.example.org"})
        hear(office)

    ((path, _, body),) = server.got
    assert path == "/services/T1/s3cret" and body.keys() == {"text"}
    head, link, block = body["text"].split("\n", 2)
    assert head.endswith("WEB-1 is completed: its summary is to be read*")
    assert link == "https://board.example.org/ticket/WEB-1.html"
    assert block.startswith("```\n") and block.endswith("\n```") and block.count("```") == 2
    assert "<" not in body["text"] and "&lt;!channel&gt;" in block
    assert "@here" not in block and "@everyone" not in block and "@\u2060here" in block


def test_a_secret_address_is_in_no_message_and_no_memory(office: Office) -> None:
    with web(answer=403) as server:
        url = f"http://127.0.0.1:{server.port}/services/T1/s3cret"
        office.site.configure(notify={"webhook": {"url_file": secret(office, "url", url)}})
        said = hear(office)
    assert "webhook: exit 1: 127.0.0.1 answers 403: no: /…; tried again" in said

    office.soon()
    said += office.run("-v") + office.run("--list")
    (office.site.home / "url").write_text("http://a b/services/T1/s3cret\n")
    office.soon()
    said += office.run()

    assert "s3cret" not in said
    assert "s3cret" not in (office.site.home / "metrics" / "notify.json").read_text()
    assert "s3cret" not in json.dumps(office.under_way())


def test_a_redirect_is_not_followed(office: Office) -> None:
    with web() as other, web(answer=302, more={"Location": f"http://127.0.0.1:{other.port}/"}) as server:
        webhook = {"url_file": secret(office, "url", f"http://127.0.0.1:{server.port}/x")}
        office.site.configure(notify={"webhook": webhook})

        assert "127.0.0.1 answers 302" in hear(office)
        assert other.got == []


@pytest.mark.parametrize("content", ["file:///etc/passwd", "ftp://x/", "", "x"])
def test_what_is_no_address_of_a_web_server_is_refused(office: Office, content: str) -> None:
    office.site.configure(notify={"webhook": {"url_file": secret(office, "url", content)}})

    assert "webhook: exit 1: the address is no http:// or https:// address" in hear(office)


def test_a_secret_that_is_not_there_is_said(office: Office) -> None:
    office.site.configure(notify={"webhook": {"url_file": "/nowhere/url"}})

    assert "webhook: exit 1: /nowhere/url: No such file or directory" in hear(office)


def test_a_credential_of_the_unit_goes_before_the_file_unless_it_is_empty(office: Office, tmp_path: Path) -> None:
    granted = {**office.site.environment(), "CREDENTIALS_DIRECTORY": str(tmp_path)}
    with web() as server:
        url = f"http://127.0.0.1:{server.port}"
        office.site.configure(notify={"webhook": {"url_file": secret(office, "url", f"{url}/file")}, "throttle": "0s"})
        for content in (f"{url}/credential\n", "\n"):
            (tmp_path / "notify-webhook").write_text(content)
            office.leave("completed-WEB-1", "completed", "WEB-1")
            office.run(env=granted)

    assert [path for path, _, _ in server.got] == ["/credential", "/file"]


# ntfy.


def test_ntfy_gets_topic_title_priority_and_no_words_of_the_ticket_unless_wanted(office: Office) -> None:
    with web() as server:
        ntfy: dict[str, Any] = {"url": f"http://127.0.0.1:{server.port}", "topic": "ops"}
        ntfy["token_file"] = secret(office, "token", "tk_s3cret")
        office.site.configure(notify={"ntfy": ntfy, "url": "https://board.example.org", "throttle": "0s"})
        hear(office)
        office.site.configure(notify={"ntfy": {**ntfy, "details": True}, "throttle": "0s"})
        hear(office)
        office.leave("failed-x", "unit failed", unit="pco-poll.service", why="exit 1")
        office.run()

    (path, headers, brief), (_, _, full), (_, _, grave) = server.got
    assert (path, headers["Authorization"]) == ("/", "Bearer tk_s3cret")
    assert (brief["topic"], brief["priority"], brief["click"]) == (
        "ops",
        3,
        "https://board.example.org/ticket/WEB-1.html",
    )
    assert brief["title"].endswith(": WEB-1 is completed: its summary is to be read")
    assert "channel" not in json.dumps(brief) and "Done." not in json.dumps(brief)
    assert "Done." in full["message"]
    assert (grave["priority"], "exit 1" in grave["message"]) == (4, True)


def test_ntfy_gets_no_more_than_it_takes(office: Office) -> None:
    with web() as server:
        ntfy = {"url": f"http://127.0.0.1:{server.port}", "topic": "ops", "details": True}
        office.site.configure(notify={"ntfy": ntfy})
        hear(office, title="ü" * 3000, summary="ß" * 20_000, why="é" * 50_000)

    assert 3000 < len(server.got[0][2]["message"].encode()) < 4096


# All of them.


def test_a_way_is_told_only_of_the_events_it_wants(office: Office) -> None:
    with web() as server, mail_server() as post:
        ntfy = {"url": f"http://127.0.0.1:{server.port}", "topic": "ops", "events": ["failed"]}
        office.site.configure(
            notify={"ntfy": ntfy, "mail": {"to": ["a@example.org"], "smtp": f"localhost:{post.port}"}}
        )
        hear(office)
        office.leave("failed-WEB-2", "failed", "WEB-2")
        office.run()

    assert [body["title"].split(": ")[1] for _, _, body in server.got] == ["WEB-2 has failed"]
    assert len(post.got) == 2


@pytest.mark.parametrize("name", ["mail", "webhook", "ntfy"])
def test_each_can_be_used_by_programs_of_ones_own_and_says_how(name: str) -> None:
    command = [sys.executable, str(TOP / "share" / "hooks" / name), "--help"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert f"    {name} --" in said


def test_a_time_out_of_a_web_server_is_a_failure_like_others(office: Office) -> None:
    office.site.configure(notify={"ntfy": {"url": "http://127.0.0.1:9", "topic": "ops"}})

    said = hear(office)

    assert "ntfy: exit 1: 127.0.0.1: [Errno 111] Connection refused; tried again" in said
    assert office.delivered().ways["ntfy"].failure <= datetime.now(UTC)
