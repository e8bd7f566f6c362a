"""The HTML of a comment: harmless by construction, whatever an agent wrote."""

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import corpus
from pco.ground import markup
from pco.ground.errors import BadData
from pco.ground.ticket import Commit, Ticket, Work
from pco.rules import comment
from pco.rules.form import Form
from support import TOP, a_ticket

SHIPPED = Form("share/comment.md", (TOP / "share" / "comment.md").read_text())

VOID = {"br", "hr"}
HARMLESS = {"a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre"}
HARMLESS |= {"s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"}
ALIGNED = {f"text-align:{side}" for side in ("left", "right", "center")}


class Reader(HTMLParser):
    """Reads HTML as a browser would, and keeps all elements; complains of what is not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl):
        raise AssertionError(f"a declaration: {decl}")

    def handle_pi(self, data):
        raise AssertionError(f"an instruction: {data}")


def assert_harmless(html: str) -> None:
    for tag, attributes in Reader(html).elements:
        assert tag in HARMLESS, tag
        for name, value in attributes.items():
            assert (tag, name) in {("a", "href"), ("a", "rel"), ("a", "title"), ("code", "class"), ("ol", "start")} or (
                name == "style" and value in ALIGNED
            ), (tag, name, value)
        if "href" in attributes:
            assert str(attributes["href"]).lower().startswith(("http://", "https://", "mailto:"))
    assert not any(ord(c) < 32 and c not in "\n\t" for c in html)
    assert len(html.encode()) <= comment.MOST_BYTES


def body(ticket: Ticket, summary: str) -> str:
    """The comment in the form that comes with pco."""
    return comment.body(SHIPPED, ticket, summary, None)


def with_work(*commits: Commit, **more) -> Ticket:
    return a_ticket("WEB-12").with_round(work=Work(commits, branch="pco/WEB-12", **more))


@pytest.mark.parametrize("kind", corpus.KINDS)
def test_no_text_of_the_corpus_becomes_anything_that_acts(kind):
    for words in map(corpus.encodable, corpus.KINDS[kind]):
        try:
            html = body(with_work(Commit("0" * 40, words, words), problem=words), words)
        except BadData:
            assert corpus.says_nothing(words), words
            continue
        assert not corpus.says_nothing(words), words
        assert_harmless(html)
        assert not corpus.unseen(html)


def test_markdown_becomes_html():
    html = body(a_ticket(), "# Done\n\n- **one**\n- `two`\n\n~~three~~\n\n|a|b|\n|-|-|\n|1|2|\n")

    for part in ("<h1>Done</h1>", "<strong>one</strong>", "<code>two</code>", "<s>three</s>", "<td>1</td>"):
        assert part in html
    assert_harmless(html)


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "text <b onclick='x'>bold</b>",
        "<!-- hidden -->text",
        "<![CDATA[x]]> text",
        "<?php x ?> text",
        "[click](javascript:alert(1))",
        "[click](JaVaScRiPt:alert(1))",
        "[click](java\tscript:alert(1))",
        "[click](&#106;avascript:alert(1))",
        "[click](data:text/html;base64,PHNjcmlwdD4=)",
        "[click](vbscript:x) [b](file:///etc/passwd) [c](//evil.example) [d](/god-mode/)",
        "[a]\n\n[a]: javascript:alert(1)",
        "<javascript:alert(1)> <data:text/html,x>",
        '[x](https://ok.example "a\\" onmouseover=alert(1) b")',
        '[x](https://ok.example/"onmouseover=alert(1)//)',
        "![pixel](https://evil.example/p.png)",
        "![pixel](data:image/png;base64,AAAA)",
        '```"><script>alert(1)</script>\ncode </code></pre><script>\n```',
        "    <script>indented</script>",
        "`<script>`",
        "&lt;script&gt; &#60;script&#62;",
        "|<script>|b|\n|-|-|\n|<img src=x onerror=y>|2|",
        "text\x00<scr\x00ipt>",
        "a\u202ekcab\u2066x\u2069 \u200b&#8238;&#x202e;&rlm;",
        "\ud800 lone surrogate",
        "\x1b]0;title\x07 \x9b31m text",
        "[![a](https://e.example/a.png)](https://e.example)",
        "[" * 500 + "](" * 500 + "x",
        "> " * 300 + "deep",
        "*" * 2000 + "x" + "_" * 2000,
    ],
)
def test_hostile_markdown_stays_harmless(hostile):
    html = body(a_ticket(), f"Summary.\n\n{hostile}\n\nEnd.")

    assert_harmless(html)
    assert not {"\u202e", "\u2066", "\u2069", "\u200f", "\u200b", "\x00"} & set(html)
    assert "End." in html


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from(list("<>\"'&;:/()[]!`*_~|#- \n\tabjsx=\x00\u202e")), max_size=120))
def test_any_markdown_stays_harmless(summary):
    assert_harmless(body(a_ticket(), f"Summary.\n\n{summary}"))


def test_a_picture_becomes_a_link_that_nothing_loads():
    html = body(a_ticket(), "![the plan](https://e.example/plan.png)")

    assert '<a href="https://e.example/plan.png"' in html
    assert "<img" not in html


def test_links_open_without_telling_where_they_were_followed_from():
    html = body(a_ticket(), "[one](https://e.example) <https://f.example> [m](mailto:a@e.example)")

    links = [attributes for tag, attributes in Reader(html).elements if tag == "a"]
    assert [link["rel"] for link in links] == ["noopener noreferrer nofollow"] * 3


@pytest.mark.parametrize(
    "empty", ["", "  \n\t", "\x00\u202e\u200b", "&nbsp;\n\n&#8203;", "---", "[](https://e.example)"]
)
def test_a_summary_without_a_visible_word_is_refused(empty):
    with pytest.raises(BadData, match="empty"):
        body(a_ticket(), empty)


@pytest.mark.parametrize(
    "long",
    ["word " * 40_000, "<&>" * 30_000, "para\n\n" * 30_000, "|a|b|\n|-|-|\n" + "|1|2|\n" * 20_000, "é" * 70_000],
    ids=["one paragraph", "escapes", "paragraphs", "table", "two bytes each"],
)
def test_a_long_summary_is_cut_with_a_mark_and_well_formed(long):
    html = body(with_work(Commit("a" * 40, "s" * 300), diffstat="1 file changed"), long)

    assert_harmless(html)
    assert "[cut here" in html
    assert len(html) > comment.MOST_BYTES // 3
    assert "Posted by pco" in html


def test_a_summary_that_fits_carries_no_mark():
    assert "cut here" not in body(a_ticket(), "short " * 5000)


def test_the_footer_says_where_the_comment_comes_from():
    work = [Commit("0123456789abcdef", "web: fix <it>"), Commit("fedcba9876543210", "tests: hold it")]
    html = body(with_work(*work, diffstat=" a.py | 2 +-\n 1 file changed, 1 insertion(+)\n"), "Done.")

    shown = markup.plain(html)
    assert "Posted by pco: WEB-12, round 1. 2 commits on pco/WEB-12; 1 file changed, 1 insertion(+)." in shown
    assert "0123456789 web: fix <it>" in shown
    assert "fedcba9876 tests: hold it" in shown


def test_the_footer_says_when_nothing_was_committed_and_what_was_left_behind():
    shown = markup.plain(body(with_work(uncommitted=3), "Done."))

    assert shown.endswith("Posted by pco: WEB-12, round 1. no commits. 3 uncommitted changes left behind.")


def test_of_a_ticket_that_never_had_a_session_only_its_name_is_said():
    assert markup.plain(body(a_ticket(), "Done.")) == "Done.\n\nPosted by pco: WEB-1, round 1."


def test_the_footer_names_the_first_commits_and_counts_the_rest():
    html = body(with_work(*(Commit(f"{n:040x}", f"number {n}") for n in range(50))), "Done.")

    assert "number 19" in html
    assert "number 20" not in html
    assert "and 30 more" in html


def test_hostile_commits_stay_harmless():
    hostile = "<script>x</script>\n\u202e\x00" + "x" * 10_000
    work = Work((Commit(hostile, hostile, hostile),) * 50, diffstat=hostile, branch=hostile)

    assert_harmless(body(a_ticket().with_round(work=work), "Done."))


def test_the_same_ticket_gives_the_same_comment():
    assert body(with_work(), "Done.") == body(with_work(), "Done.")


def test_the_external_id_is_of_one_round_of_one_record():
    assert comment.external_id(a_ticket("WEB-12", id="r4nd0m")) == "WEB-12:1:r4nd0m"
