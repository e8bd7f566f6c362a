import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pco.ground import markup, text

HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "a\u202eb\u2066c",
    "nul\x00",
    "c1\x9b31m",
    "zero\u200bwidth\ufeff",
    "line\u2028sep",
    "\ud800",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_that_moves_a_terminal_passes(hostile):
    for made in (text.lines(hostile), text.line(hostile)):
        assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in made)


@example(" ")
@given(st.text())
def test_a_line_is_one_line_and_clean(anything):
    made = text.line(anything)
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in made)
    assert made == made.strip()


@given(st.text(max_size=60), st.integers(min_value=1, max_value=30))
def test_a_cut_line_fits_its_columns(anything, width):
    assert text.columns(text.line(anything, width)) <= width


def test_newlines_and_tabs_stay_in_lines():
    assert text.lines("a\n\tb\r") == "a\n\tb"


FAMILY, RAINBOW, PERSIAN = (
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "\U0001f3f3\ufe0f\u200d\U0001f308",
    "می\u200cخواهم",
)


@pytest.mark.parametrize("said", [FAMILY, RAINBOW, PERSIAN, "\U0001f44d\U0001f3fe\u200d\u2640", "क्\u200dष"])
def test_a_page_keeps_what_joins_pictures_and_letters(said):
    assert text.line(f"Title {said}!", joiners=True) == f"Title {said}!"
    assert "\u200d" not in text.line(said) and "\u200c" not in text.line(said)


@pytest.mark.parametrize(
    "said", ["pass\u200dword", "\u200d", "a\u200c", "م\u200da", "\U0001f469\u200dx", "\u200d\U0001f469"]
)
def test_elsewhere_a_joiner_goes_from_a_page_too(said):
    assert text.line(said, joiners=True) == said.replace("\u200d", "").replace("\u200c", "")


@given(st.text(st.sampled_from("ab \u200c\u200d\u202e\u200b\ufe0fمक\U0001f469\U0001f3fe\x1b")))
def test_joiners_are_all_that_a_page_keeps_more(anything):
    kept = text.lines(anything, joiners=True)
    assert kept.replace("\u200d", "").replace("\u200c", "") == text.lines(anything)


def test_wide_characters_take_two_columns():
    assert text.line("日本語です", 6) == "日本…"


def test_html_becomes_readable_text():
    html = "<div><p>Steps for <strong>it</strong>:</p><ul><li>one</li><li>two &amp; three</li></ul></div>"
    assert markup.plain(html) == "Steps for it:\n\n- one\n- two & three"


def test_code_keeps_its_lines_and_links_their_address():
    html = '<pre><code>if x:\n    print(1)</code></pre><p><a href="https://e.org/1">here</a></p>'
    assert markup.plain(html) == "if x:\n    print(1)\n\nhere <https://e.org/1>"


def test_scripts_and_styles_are_not_text():
    assert markup.plain("<p>a</p><script>alert(1)</script><style>x{}</style><p>b</p>") == "a\n\nb"


@pytest.mark.parametrize("broken", ["<", "<p", "</", "&#xD800;", "<!--", "<![CDATA[", "<a href=", "]]>", "<p>" * 5000])
def test_broken_html_is_no_error(broken):
    assert isinstance(markup.plain(broken), str)


def test_a_near_name_is_offered():
    assert text.meant("aprove", ["approve", "reject"]) == " (did you mean approve?)"
    assert text.meant("zzz", ["approve", "reject"]) == ""


def test_one_is_not_many():
    assert [text.count(n, "commit") for n in (0, 1, 2)] == ["0 commits", "1 commit", "2 commits"]
