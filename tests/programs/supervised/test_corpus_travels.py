"""All that means harm (tests/corpus.py), from Plane to Plane: titles, comments, screens, commits, paths, summaries."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import corpus
import pagewalk
from pco.ground.ticket import State
from pco.sim import running
from sessions import Yard, until

pytestmark = pytest.mark.timeout(600)
TAG = re.compile(
    r'</?[a-z0-9]+(?: rel="[a-z ]+"| href="(?:https?:|mailto:)[^"<>]*"| start="[0-9]+"| title="[^"<>]*"| class="[\w-]+")*(?: /)?>'
)
# Shows, commits and hands over what it is given: as file names, words of commits, words on its screen.
AGENT = """\
import json, os, subprocess, sys
texts = json.load(open(sys.argv[1]))[open("/dev/stdin").read().split("KIND=")[1].split()[0]]
def git(*words):
    subprocess.run(["git", "-c", "user.name=" + texts[0][:50].replace("\\0", ""), "-c", "user.email=a@b", *words], check=True)
for n, text in enumerate(texts):
    data = text.encode("utf-8", "surrogateescape" if "\\udcff" in text else "replace")
    sys.stdout.buffer.write(data[:2000] + b"\\n")
    name = data.replace(b"/", b"_").replace(b"\\0", b"_")[:150].strip(b".") or b"empty"
    try:
        open(name, "wb").write(data)
    except OSError:
        open(f"odd{n}", "wb").write(data)
    git("add", "-A")
    words = text.replace("\\0", "").encode("utf-8", "replace")
    subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@y", "commit", "-q", "--allow-empty-message",
                    "--allow-empty", "--cleanup=verbatim", "-F", "-"], input=words[:5000], check=True)
sys.stdout.flush()
summary = "\\n\\n".join(t[:2000] for t in texts).encode("utf-8", "replace")
subprocess.run(["pco-complete", "-"], input=summary, check=True)
"""


def title(text: str) -> str:
    """As much of a text as Plane takes for a title."""
    return corpus.encodable(text).replace("\0", "").strip()[:250] or "nothing"


@pytest.mark.usefixtures("watch")
def test_all_of_it_travels_and_nothing_of_it_acts(yard: Yard, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    kinds = {kind: [corpus.marked(text, str(mark)) for text in texts] for kind, texts in corpus.KINDS.items()}
    (tmp_path / "texts.json").write_text(json.dumps(kinds))
    (tmp_path / "agent.py").write_text(AGENT)
    site = yard.site
    with running(rate=0) as plane:
        token = site.home / "token"
        token.write_text(plane.token)
        token.chmod(0o600)
        project = plane.project("WEB")
        jonas = plane.person("jonas")
        site.configure(
            plane={
                **{"url": plane.url, "workspace": plane.slug, "token_file": str(token), "settle": "50ms"},
                "requests_per_minute": 10_000,
                "projects": [{"id": project["id"], "key": "WEB", "repository": str(yard.mirror)}],
            },
            sessions={
                **{"command": [sys.executable, str(tmp_path / "agent.py"), str(tmp_path / "texts.json")]},
                **{"runner": "tmux", "limit": 3, "per_project": 3},
            },
        )
        said = [site.run("pco-poll")]
        keys = {}
        for kind, texts in kinds.items():
            words = "".join(f"<p>{corpus.encodable(text)[:3000]}</p>" for text in texts).replace("\0", "")
            row = jonas.create(title(texts[0]), state="Todo", description_html=f"<p>KIND={kind} </p>{words}")
            for text in texts[1:4]:
                jonas.comment(row, corpus.encodable(text).replace("\0", "")[:3000] or "x")
            keys[kind] = jonas.key(row)
        plane.settle()
        said.append(site.run("pco-poll"))
        assert {yard.state(key) for key in keys.values()} == {State.PENDING}
        said.append(site.run("pco-queue", "approve", "--yes", *keys.values()))
        for kind, key in keys.items():
            until(lambda: _launched(yard, said, key), 120)  # noqa: B023 - called at once
            ticket = yard.comes_to(key, State.COMPLETED, 120)
            assert ticket.round.work and len(ticket.round.work.commits) > 3, kind
        for words in (["show"], ["log"], ["diff"], ["show", "--format", "json"]):
            said += [site.run("pco-queue", words[0], key, *words[1:]) for key in keys.values()]
        said.append(site.run("pco-queue", "post", "--yes", "--despite-secrets", *keys.values()))
        until(lambda: _posted(yard, said, list(keys.values())), 60)
        said.append(site.run("pco-dashboard"))
        posted = [row["comment_html"] for row in plane.rows("comments") if row["external_source"] == "pco"]

    assert not mark.exists()
    for done in said:
        assert not corpus.unseen(done.stdout + done.stderr), done.args
    assert not corpus.unseen(yard.log.read_text())
    assert len(posted) == len(keys)
    for html in posted:
        assert not corpus.unseen(html)
        for tag in re.findall("<[^>]*>", html):
            assert TAG.fullmatch(tag), tag
    pages, prompts = list((site.home / "www").rglob("*.html")), list(site.home.glob("sessions/*/*/prompt.md"))
    assert len(pages) > len(keys) and len(prompts) >= len(keys)
    for page in pages:
        pagewalk.walk(page.read_bytes())
    for prompt in prompts:
        assert not corpus.unseen(prompt.read_text()), prompt
    names = subprocess.run(
        ["git", "-C", yard.mirror, "for-each-ref"], capture_output=True, text=True, check=True
    ).stdout
    assert not corpus.unseen(names)


def _launched(yard: Yard, said: list["subprocess.CompletedProcess[str]"], key: str) -> bool:
    """Whether the session of a ticket has begun; asks for it."""
    if yard.state(key) is State.APPROVED:
        said.append(yard.site.run("pco-launch", code=None))
    return yard.state(key) is not State.APPROVED


def _posted(yard: Yard, said: list["subprocess.CompletedProcess[str]"], keys: list[str]) -> bool:
    """Whether all of them are posted; asks for it."""
    said.append(yard.site.run("pco-post", code=None))
    return {yard.state(key) for key in keys} == {State.POSTED}
