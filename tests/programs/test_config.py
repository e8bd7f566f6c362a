"""pco-config, and that a change of the configuration is noticed and audited."""

import json
from typing import Any

import pytest

from support import Site


@pytest.fixture
def site(site: Site) -> Site:
    """One whose folders are there."""
    for name in ("audit", "plane", "sessions", "mirrors", "metrics", "www"):
        (site.home / name).mkdir(exist_ok=True)
    (site.home / "token").write_text("plane_api_0123456789abcdef0123456789abcdef\n")
    (site.home / "token").chmod(0o600)
    plane = {"url": "http://127.0.0.1:9", "workspace": "acme", "token_file": str(site.home / "token")}
    site.configure(plane={**plane, "projects": [{"id": "6fb4192b-77e8-4d8e-85fe-ed3a8609522a", "repository": "/x"}]})
    return site


def audited(site: Site) -> list[dict[str, Any]]:
    """The changes that the audit record has."""
    lines = [line for month in (site.home / "audit").glob("*.jsonl") for line in month.read_text().splitlines()]
    return [record for record in map(json.loads, lines) if record["event"] == "configured"]


def test_check_says_that_all_is_right(site: Site) -> None:
    assert site.run("pco-config", "check").stdout == f"{site.config}: right\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sessions: {limti: 4}\n", "limit"),
        ("plane: [\n", ":2:"),
        ("post: {template: /nowhere}\n", "/nowhere"),
        ("claude: {mcp_config: /nowhere}\n", "/nowhere"),
    ],
)
def test_check_names_what_is_wrong_in_a_file_before_it_is_used(site: Site, text: str, said: str) -> None:
    new = site.home / "new.yaml"
    new.write_text(text)

    assert said in site.run("pco-config", "check", str(new), code=78).stderr


def test_check_looks_into_the_files_that_are_named(site: Site) -> None:
    for key, name in (("post", "template"), ("sessions", "prompt")):
        form = site.home / f"{name}.md"
        form.write_text("$nonsense_$\n")
        site.configure(**{key: {name: str(form)}})
        assert f"{name}.md" in site.run("pco-config", "check", code=78).stderr
        form.write_text("$summary\n")


def test_show_has_what_is_in_force_and_can_be_read_again(site: Site) -> None:
    assert site.run("pco-config", "show", "sessions.limit").stdout == "4\n"
    assert json.loads(site.run("pco-config", "show", "plane", "--format", "json").stdout)["workspace"] == "acme"
    shown = site.home / "shown.yaml"
    shown.write_text(site.run("pco-config", "show").stdout)
    assert site.run("pco-config", "diff", str(shown)).stdout == "nothing differs\n"
    assert "limit" in site.run("pco-config", "show", "sessions.limti", code=2).stderr


def test_show_says_where_a_key_stands(site: Site) -> None:
    drop_in = site.config.with_name("pco.yaml.d")
    drop_in.mkdir()
    (drop_in / "10-limit.yaml").write_text("sessions:\n  limit: 9\n")

    assert f"sessions.limit: {drop_in}/10-limit.yaml:2\n" in site.run("pco-config", "show", "--origin").stdout


def test_diff_shows_what_a_file_would_change(site: Site) -> None:
    new = site.home / "new.yaml"
    new.write_text(site.config.read_text().replace("acme", "other"))

    said = site.run("pco-config", "diff", str(new), code=1).stdout
    assert "-  workspace: acme" in said and "+  workspace: other" in said
    assert "+  workspace: acme" in site.run("pco-config", "diff", "--defaults", code=1).stdout


def test_a_change_is_noticed_by_the_next_poll_and_audited_with_its_diff_secrets_masked(site: Site) -> None:
    site.run("pco-poll", code=None)
    assert audited(site) == []
    assert "taken up" in site.run("pco-config", "diff").stdout

    key = "sk-ant-api03-" + "x" * 40
    site.config.write_text(
        f"{site.config.read_text()}# the key {key}, the token plane_api_0123456789abcdef0123456789abcdef\n"
    )
    assert "+# the key (a key of Anthropic)" in site.run("pco-config", "diff", code=1).stdout
    site.run("pco-poll", code=None)
    site.run("pco-poll", code=None)

    (record,) = audited(site)
    assert "+# the key (a key of Anthropic), the token (the token of Plane)" in record["fields"]["diff"]
    kept = (site.home / "audit" / "configuration.json").read_text()
    assert key not in kept + str(record) and "plane_api_0" not in kept + str(record)


def test_what_was_kept_and_is_torn_is_taken_up_anew(site: Site) -> None:
    site.run("pco-poll", code=None)
    (site.home / "audit" / "configuration.json").write_text("{torn")
    site.config.write_text(f"{site.config.read_text()}# more\n")

    site.run("pco-poll", code=None)

    assert audited(site) == []
    assert json.loads((site.home / "audit" / "configuration.json").read_text())["files"]
