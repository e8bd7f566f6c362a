"""All that means harm (tests/corpus.py) before the eyes of a real browser: it finds nothing that acts.

The pages come through the installed nginx, with its policy.  The report, and the comments as Plane might show them, are
opened as bare files, which no policy guards.  Control: the same texts as they are, which act in both ways.
"""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from exhibited import ADDRESS, WWW, browser, served
from host import Host

import corpus
import stocked
from pco.ground.ticket import State

pytestmark = pytest.mark.timeout(600)
HOME = "/root/corpus"
MARK = "/run/corpus-ran"
# Makes the pages of a pco in which each text is everywhere; the report, and the comments; and all of it without a filter.
STOCK = f"""\
import subprocess
from dataclasses import replace
from pathlib import Path
import corpus, stocked
from pco.ground.errors import BadData
from pco.ground.config import Project
from pco.ground.ticket import State
from pco.rules import comment
from pco.rules.form import Form
from support import WEB
site = stocked.everywhere(Path("{HOME}"), "{MARK}")
site.run("pco-dashboard", "--full", timeout=120)
for name in ("report", "comments", "raw"):
    (site.home / name).mkdir()
report = site.run("pco-report", "--since", "2026-11-01", "--until", "2026-12-01", "--top", "1000", "--format", "html")
(site.home / "report" / "report.html").write_text(report.stdout)
form, project = Form("comment.md", Path("/src/share/comment.md").read_text()), Project(WEB, "/srv/git/web.git")
for kind, texts in corpus.KINDS.items():
    page = '<!DOCTYPE html><meta charset="utf-8"><title>x</title>'
    for n, text in enumerate(corpus.marked(corpus.encodable(text), "{MARK}") for text in texts):
        try:
            body = comment.body(form, stocked.full(n, text, State.COMPLETED), text, project, text)
            page += f"<article>{{body}}</article>"
        except BadData:
            assert corpus.says_nothing(text), text
    (site.home / "comments" / f"{{kind}}.html").write_text(page)
raw = [text for text in corpus.BROWSER if "refresh" not in text] + corpus.LETTERS
(site.home / "raw" / "raw.html").write_text("\\n".join(map(corpus.encodable, raw)))
(site.home / "www" / "raw.html").write_text("\\n".join(map(corpus.encodable, raw)))
"""
QUIET = ("dialogs", "ran", "refused", "said", "asked", "unseen", "acting", "left")
Seen = dict[str, Any]


@pytest.fixture(scope="module")
def host(able: None) -> Iterator[Host]:
    """A host with an nginx that shows these pages."""
    browser()
    with served(f"h{os.getpid()}") as pco:
        pco.python(STOCK, timeout=120)
        pco.host.exec("sh", "-c", f"cp -r {HOME}/www/. {WWW}/ && chmod -R a+rX {WWW}")
        yield pco.host


def opened(host: Host, *pages: str) -> Seen:
    """What a browser saw of these."""
    look = ["node", "/src/tests/browser/harm.mjs", str(browser())]
    return dict(json.loads(host.exec(*look, *pages, timeout=300).stdout))


def quiet(seen: Seen) -> dict[str, list[str]]:
    """What there should be nothing of, as far as there is something."""
    return {what: seen[what][:5] for what in QUIET if seen[what]}


def shown(host: Host) -> list[str]:
    """The pages to open: of tickets those that are finished, and of the others those that have something of their own."""
    every = host.exec("sh", "-c", f"cd {WWW} && find . -name '*.html' ! -name raw.html -printf '/%P\\n'").stdout.split()
    told = (State.ACTIVE, State.FAILED)  # a question; a draft
    same = (n for n in range(len(corpus.ALL)) if stocked.OPEN[n % len(stocked.OPEN)] not in told)
    return sorted(set(every) - {f"/ticket/{stocked.key(n)}.html" for n in same})


def test_texts_that_mean_harm_do_nothing_on_any_page(host):
    names = shown(host)

    seen = opened(host, *(ADDRESS + name for name in names))

    assert seen["opened"] == len(names) > len(corpus.ALL) + 80
    assert {"/index.html", "/lane-pending.html", "/2026-11.html", "/ticket/WEB-3.html"} <= {*names}
    assert f"/ticket/{stocked.key(2 * len(corpus.ALL) - 1)}.html" in names
    assert quiet(seen) == {}


def test_texts_that_mean_harm_do_nothing_in_a_report_that_no_policy_guards(host):
    seen = opened(host, f"{HOME}/report")

    assert "constructor.constructor" in host.read(f"{HOME}/report/report.html")
    assert seen["opened"] == 1
    assert quiet(seen) == {}


def test_texts_that_mean_harm_do_nothing_in_comments_that_no_policy_guards(host):
    seen = opened(host, f"{HOME}/comments")

    for kind, texts in corpus.KINDS.items():
        said = sum(not corpus.says_nothing(corpus.encodable(text)) for text in texts)
        assert host.read(f"{HOME}/comments/{kind}.html").count("<article>") == said
    assert seen["opened"] == len(corpus.KINDS)
    assert quiet(seen) == {}


def test_without_the_filters_they_do_all_of_it_and_the_policy_still_lets_none_run(host):
    bare, guarded = opened(host, f"{HOME}/raw"), opened(host, f"{ADDRESS}/raw.html")

    assert {what for what in QUIET if not bare[what]} <= {"refused", "left"}
    assert guarded["refused"] and guarded["said"] and guarded["unseen"] and guarded["acting"]
    assert guarded["dialogs"] == guarded["ran"] == []


def test_nothing_of_them_ran_anywhere(host):
    assert host.exec("test", "-e", MARK, code=None).returncode != 0
