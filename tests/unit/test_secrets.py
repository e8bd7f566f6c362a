"""What looks like a secret."""

import pytest

from pco.rules.secrets import is_file, leaks, masked, stripped

FOUND = [
    ("plane_api_" + "0a" * 16, "a token of Plane"),
    ("key: sk-ant-api03-" + "x" * 40, "a key of Anthropic"),
    ("ghp_" + "a" * 36, "a token of GitHub"),
    ("github_pat_" + "a" * 60, "a token of GitHub"),
    ("glpat-" + "a" * 20, "a token of GitLab"),
    ("xoxb-123456789012-abc", "a token of Slack"),
    ("AKIA" + "A" * 16, "a key of AWS"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----", "a private key"),
    ("https://ann:hunter22@git.example.org/x", "a password in an address"),
]


@pytest.mark.parametrize(("text", "kind"), FOUND, ids=[kind for _, kind in FOUND])
def test_each_form_is_found_with_its_line_and_masked(text: str, kind: str) -> None:
    (leak,) = leaks(f"first\n{text}\nlast")

    assert (leak.kind, leak.line) == (kind, 2)
    assert leaks(masked(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "plane_api_none",
        "https://git.example.org/acme/shop",
        "git@github.com:acme/shop.git",
        "sk-ant-...",
        "BEGIN PUBLIC KEY",
        "the task: ask@example.org",
        "http://127.0.0.1:8080/a@b",
    ],
)
def test_what_only_resembles_one_is_let_pass(text: str) -> None:
    assert leaks(text) == []


def test_a_known_secret_is_found_by_its_value_but_not_one_that_any_text_has() -> None:
    known = [("the token", "correct-horse"), ("the pin", "1234")]

    assert [leak.kind for leak in leaks("x correct-horse 1234", known)] == ["the token"]
    assert masked("x correct-horse 1234", known) == "x (the token) 1234"


def test_of_a_private_key_nothing_stays() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"

    assert masked(f"before\n{key}\nafter") == "before\n(a private key)\nafter"


@pytest.mark.parametrize("text", ["PASSWORD=correct-horse", 'token: "correct-horse"', '"api_key": "correct-horse"'])
def test_what_leaves_the_machine_loses_what_its_name_calls_a_secret_too(text: str) -> None:
    assert "correct-horse" not in stripped(text)
    assert leaks(text) == []


@pytest.mark.parametrize("text", ["token_file: /etc/pco/token", "TOKEN=$CREDENTIALS_DIRECTORY/x", "key: /srv/key.pem"])
def test_where_a_secret_is_may_be_said(text: str) -> None:
    assert stripped(text) == text


@pytest.mark.parametrize("name", ["credentials/plane-token", "nginx/htpasswd", "server.key", ".netrc", "id_ed25519"])
def test_the_files_of_secrets_are_known_by_their_names(name: str) -> None:
    assert is_file(name)


@pytest.mark.parametrize("name", ["pco.yaml", "hooks.d/backup/10-rsync", "nginx/access.inc", "tokenize.md", "keys.md"])
def test_other_files_are_not(name: str) -> None:
    assert not is_file(name)
