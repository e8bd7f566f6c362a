"""Secrets that a unit was given, looked for by their value."""

import pytest

from pco.ground import credentials

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE\nAAAAtzc2gtZWQ\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tok_of_no_form\n", ["tok_of_no_form"]),
        ("https://bot:hunter22x@git.example.org\n", ["hunter22x"]),
        ("https://bot:a@b:c-hunter@git.example.org\nhttps://x:other-one@h\n", ["a@b:c-hunter", "other-one"]),
        ("https://hooks.example.org/T0/B0/xyz\n", ["https://hooks.example.org/T0/B0/xyz"]),
        (KEY, ["b3BlbnNzaC1rZXktdjE", "AAAAtzc2gtZWQ"]),
        ("\n", []),
        ("short\n", []),
        ("https://bot:short@git.example.org\n", []),
    ],
)
def test_what_is_secret_in_a_file_is_known(text, found):
    assert list(credentials.values(text)) == found


def test_a_secret_of_a_unit_is_found_by_its_value_and_told_by_its_name(tmp_path):
    (tmp_path / "agent").write_text("no-form-at-all\n")
    (tmp_path / "git-push").write_text("\n")
    known = list(credentials.given({"CREDENTIALS_DIRECTORY": str(tmp_path)}))

    assert credentials.held("It said\nno-form-at-all, twice: no-form-at-all.", known) == ["the credential agent"]
    assert credentials.held("no-form-at-all", [("the login", "no-form-at-all"), *known]) == ["the login"]
    assert credentials.held("It said no form at all.", known) == []


@pytest.mark.parametrize("environ", [{}, {"CREDENTIALS_DIRECTORY": ""}, {"CREDENTIALS_DIRECTORY": "/nowhere"}])
def test_who_was_given_none_knows_none(environ):
    assert list(credentials.given(environ)) == []
