"""The form of a comment: an administrator's Markdown with $variables, of which nothing that an agent wrote gets out."""

import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pco.commands import post
from pco.ground import markup
from pco.ground.config import Project
from pco.ground.errors import BadConfig
from pco.ground.ticket import Approval, Commit, Cost, Pushed, Ticket, Work
from pco.rules import comment
from pco.rules.form import MOST_BYTES, Form
from support import T0, TOP, WEB, a_ticket
from unit.test_comment import Reader, assert_harmless

STAT = " lib/web.py | 12 ++++++------\n tests/a.py |  2 +-\n 2 files changed, 7 insertions(+), 7 deletions(-)\n"
COMMITS = (Commit("0123456789abcdef", "web: fix it"), Commit("fedcba9876543210", "tests: hold it"))
PROJECT = Project(
    WEB,
    "https://bot:secret@git.example.org/web.git",
    push=True,
    push_url="/srv/git/web.git",
    compare_url="https://git.example.org/web/compare/{base}...{branch}",
)
PUSHED = Pushed("", "/srv/git/web.git", T0)


def worked(commits: tuple[Commit, ...] = COMMITS, stat: str = STAT, **more) -> Ticket:
    return a_ticket("WEB-12").with_round(work=Work(commits, stat, "pco/WEB-12", **more))


def made(form: str, ticket: Ticket | None = None, summary: str = "Done.", by: str = "bob") -> str:
    """The HTML of the comment; the summary may stand anywhere."""
    form = form if "$summary" in form else f"$summary\n\n{form}"
    return comment.body(Form("F", form), ticket or worked(), summary, PROJECT, by)


def shown(form: str, ticket: Ticket | None = None) -> str:
    """What a person reads of it below the summary."""
    return markup.plain(made(form, ticket)).removeprefix("Done.").strip()


def test_each_variable_says_what_the_manual_says():
    approval = Approval("ann", T0, "00")
    ticket = worked(uncommitted=3, pushed=PUSHED).with_round(cost=Cost(1.2), summary_by="agent", approval=approval)
    words = {
        "key": "WEB-12",
        "title": "Title of WEB-12",
        "round": "1",
        "repository": "https://git.example.org/web.git",
        "base": "main",
        "branch": "pco/WEB-12",
        "work": "2 commits on pco/WEB-12; 2 files changed, 7 insertions(+), 7 deletions(-)",
        "commits": "0123456789 web: fix it\n- fedcba9876 tests: hold it",
        "changed": "2 files changed, 7 insertions(+), 7 deletions(-)",
        "diffstat": "lib/web.py | 12 ++++++------\n- tests/a.py |  2 +-\n- 2 files changed, 7 insertions(+), 7 deletions(-)",
        "left": "3 uncommitted changes left behind",
        "compare": "https://git.example.org/web/compare/main...pco/WEB-12",
        "cost": "$1.20",
        "written_by": "agent",
        "approved_by": "ann",
        "accepted_by": "bob",
    }

    found = {name: shown(f"- ${name}", ticket) for name in comment.KNOWN}

    assert {name: found[name].split() for name in found} == {name: f"- {words[name]}".split() for name in words}


def test_the_manual_names_all_variables_and_no_other():
    told = set(re.findall(r"\$([a-z_]+)", post.__doc__ or ""))

    assert told == {*comment.KNOWN, "summary"}


def test_the_form_that_comes_with_pco_is_a_good_one():
    comment.check(Form("share/comment.md", (TOP / "share" / "comment.md").read_text()))


def test_a_line_is_repeated_for_each_commit_and_keeps_its_markup():
    html = made("Commits:\n\n1. `$commits`")

    assert "<li><code>0123456789 web: fix it</code></li>\n<li><code>fedcba9876 tests: hold it</code></li>" in html


def test_the_diffstat_keeps_its_columns_in_a_block_of_code():
    assert f"<pre><code>{STAT.rstrip().replace(chr(10) + ' ', chr(10)).strip()}\n</code></pre>" in made(
        "```\n$diffstat\n```"
    )


@pytest.mark.parametrize(
    "form",
    [
        "Commits:\n- $commits",
        "Commits on $branch:\n\n- $commits",
        "```\n$diffstat\n```",
        "$left",
        "**Cost: $cost**\n",
        "|file|\n|-|\n|$diffstat|",
    ],
)
def test_what_would_say_nothing_is_not_there(form):
    assert made(form, a_ticket()) == made("$cost", a_ticket()) == "<p>Done.</p>"


def test_of_a_block_that_says_something_only_the_silent_lines_go():
    assert shown("Ticket $key\nCost $cost\n$work ($left)", worked()) == (
        "Ticket WEB-12 2 commits on pco/WEB-12; 2 files changed, 7 insertions(+), 7 deletions(-) ()"
    )


def test_the_summary_may_stand_anywhere_and_hides_nothing_of_what_comes_after_it():
    html = made(
        "# $key\n\n$summary\n\n- $commits", summary="Look:\n\n```\ncode\n\n<!--\n\n[0123456789]: https://evil.example"
    )

    assert html.index("<h1>WEB-12</h1>") < html.index("Look:") < html.index("</code></pre>") < html.index("<ul>")
    assert "<li>0123456789 web: fix it</li>" in html
    assert_harmless(html)


def test_a_dollar_is_written_twice():
    assert shown("costs $$5, not $key") == "costs $5, not WEB-12"


@pytest.mark.parametrize(
    "where", ["$commits", "- $commits", "`$commits`", "```\n$commits\n```", "[x](https://e.example/$commits)"]
)
@pytest.mark.parametrize(
    "words",
    [
        "$key ${title} $$ $accepted_by",
        "**bold** _em_ `code` ~~gone~~ # head",
        "[click](https://evil.example) <https://evil.example> ![x](https://evil.example/x.png)",
        "<script>alert(1)</script> <img src=x onerror=y> &lt;b&gt;",
        "``` --- | a | b |",
        '" onmouseover="alert(1) \' \\',
    ],
)
def test_what_an_agent_wrote_stays_text_wherever_it_stands(where, words):
    commit = Commit("0123456789", words)

    html = made(where, worked((commit,)))

    tags = [tag for tag, _ in Reader(html).elements]
    plain = [tag for tag, _ in Reader(made(where, worked((Commit("0123456789", "x"),)))).elements]
    assert tags == plain
    assert_harmless(html)
    if "](" not in where:
        assert re.sub(r"\s+", " ", f"0123456789 {words}") in re.sub(r"\s+", " ", markup.plain(html))


HOSTILE = st.text(alphabet=st.sampled_from(list("<>\"'&;:/()[]!`*_~|#-$ \n\tabsz0=\x00\u202e")), max_size=60)


@settings(max_examples=150, deadline=None)
@given(HOSTILE, st.sampled_from(["$commits", "- $diffstat", "`$branch`", "[a](https://e.example/$branch '$title')"]))
def test_any_words_of_an_agent_stay_harmless(words, form):
    work = Work((Commit(words, words),), f" {words} | 2 +-\n", words)
    ticket = a_ticket(title=words).with_round(work=work)

    assert_harmless(made(form, ticket, summary=f"Done.\n\n{words}"))


def test_of_many_commits_and_files_the_first_are_named_and_the_rest_is_counted():
    commits = tuple(Commit(f"{n:040x}", f"number {n} " + "x" * 10_000) for n in range(37))
    stat = "".join(f" file{n} | 1 +\n" for n in range(50)) + " 50 files changed, 50 insertions(+)\n"
    said = shown("- $commits\n\n* * *\n\n- $diffstat", worked(commits, stat))

    assert "number 19 " in said and "number 20 " not in said and "- and 17 more" in said
    assert "file19 " in said and "file20 " not in said and "- and 30 more\n- 50 files changed" in said
    assert max(map(len, said.splitlines())) < 130


def test_a_link_leads_to_where_the_changes_are_and_is_not_there_before_they_are():
    html = made("[Compare]($compare)", worked(pushed=PUSHED))

    assert '<a href="https://git.example.org/web/compare/main...pco/WEB-12" rel=' in html
    assert made("[Compare]($compare)", worked()) == "<p>Done.</p>"
    assert "<a rel=" in made("$branch: [Compare]($compare)", worked())


def test_an_address_may_be_made_of_variables_and_is_escaped_as_one():
    html = made(
        "[the branch](https://e.example/$branch?x=$title)",
        a_ticket(title='a "b" & c').with_round(work=worked().round.work),
    )

    assert 'href="https://e.example/pco/WEB-12?x=a%20%22b%22%20%26%20c"' in html


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("$summary\n\nby $nobody", "F:3: $nobody is not known"),
        ("$summary\n$comits", "F:2: $comits is not known (did you mean commits?)"),
        ("$summary\n\ncosts 5 $", "F:3: a $ that begins no variable"),
        ("$summary\n${key", "F:2: a $ that begins no variable"),
        ("Done:\n$key", "F: $summary is missing"),
        ("", "F: $summary is missing"),
        ("> $summary", "F:1: $summary needs a line of its own"),
        ("$summary\n\n$summary", "F:3: $summary stands there twice"),
        ("$summary\n$commits: $diffstat", "F:2: $commits and $diffstat have several lines"),
        ("$summary\n" + "x" * MOST_BYTES, "F: more than 16384 bytes"),
    ],
)
def test_a_wrong_form_is_refused_with_the_line(form, said):
    for look in (lambda: comment.check(Form("F", form)), lambda: comment.body(Form("F", form), worked(), "x", None)):
        with pytest.raises(BadConfig, match=f"^{re.escape(said)}"):
            look()


def test_a_form_that_makes_too_much_is_refused():
    with pytest.raises(BadConfig, match="without the summary"):
        made("$commits\n\n" * 900, worked(tuple(Commit("0" * 40, "x" * 200) for _ in range(30))))


def test_what_a_form_says_by_itself_is_harmless_too():
    html = made("<script>x</script> [a](javascript:x) ![p](https://e.example/p.png) <b>$key</b>")

    assert_harmless(html)
    assert set(string.printable[:-5]) >= set(html) - {"\n"}
