"""Elements: escaped by construction."""

import pytest

from pagewalk import walk
from pco.pages.html import address, document, el

BAD = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "java\tscript:alert(1)",
    "\x01javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "//evil.example.org/",
    "/etc/passwd",
    "\\\\evil.example.org\\x",
    "https:\\\\evil.example.org",
    "https://plane.example.org@evil.example.org/",
    "https://plane.example.org/‮gpj.exe",
    "https://",
    "http:/x",
    "https://a b",
    "https://[\n]",
    "mailto:anna@example.org",
    "x:y",
    "../../etc/passwd",
    "a/../../b",
    "..",
    "ticket//evil",
    "https://a/" + "b" * 3000,
]


@pytest.mark.parametrize("value", BAD)
def test_an_address_that_leads_elsewhere_is_left_out(value):
    assert address(value) is None
    assert str(el("a", {"href": value}, "x")) == "<a>x</a>"


@pytest.mark.parametrize(
    "value", ["https://plane.example.org/acme/browse/WEB-1/", "HTTP://x/?a=b&c=d", "../index.html", "ticket/WEB-1.html"]
)
def test_an_address_of_the_web_or_of_a_page_beside_is_kept(value):
    assert address(value) == value
    assert 'href="' in str(el("a", {"href": value}, "x"))


def test_text_and_attributes_cannot_break_out():
    hostile = "\"'><script>alert(1)</script>&amp;"

    made = str(el("p", {"title": hostile}, hostile))

    assert made == (
        '<p title="&quot;\'&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;">'
        "\"'&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;</p>"
    )


@pytest.mark.parametrize("tag", ["script", "style", "iframe", "img", "form", "SCRIPT", "p onclick", "base", "object"])
def test_a_tag_that_could_act_does_not_exist(tag):
    with pytest.raises(ValueError):
        el(tag, None, "x")


@pytest.mark.parametrize("name", ["onclick", "style", "src", "HREF", "x y", "srcdoc", "formaction", "data-x", 'a"b'])
def test_an_attribute_that_could_act_does_not_exist(name):
    with pytest.raises(ValueError):
        el("p", {name: "x"})


def test_a_void_element_has_no_end_and_holds_nothing():
    assert str(el("br")) == "<br>"
    with pytest.raises(ValueError):
        el("br", None, "x")


def test_characters_that_nobody_sees_are_dropped_everywhere():
    hostile = "a\x00\x1b[31mb‮c\u200bd\ue000e\ud800f\x9bg"

    assert str(el("p", {"title": hostile}, hostile)) == '<p title="a[31mbcdefg">a[31mbcdefg</p>'


def test_children_may_be_lists_and_what_is_none_is_left_out():
    assert str(el("p", {"class": None}, ["a", None, [el("b", None, "c")]], (x for x in "de"))) == "<p>a<b>c</b>de</p>"


def test_a_document_is_a_page_that_a_strict_reader_takes():
    page = walk(document([el("title", None, "T <&>")], [el("main", None, el("p", None, "x"))]))

    assert page.title == "T <&>"
    assert page.text.strip() == "x"


@pytest.mark.parametrize(
    "broken",
    [
        "<main><p><div></div></p></main>",
        "<main><script>x</script></main>",
        "<main><p onclick='x'>y</p></main>",
        "<main><a href='javascript:x'>y</a></main>",
        "<main><li>x</li></main>",
        "<main><p>x</main>",
        "<main><a href='#nowhere'>x</a></main>",
        "<main><p id='a'>x</p><p id='a'>x</p></main>",
        "<main>\u202e</main>",
    ],
)
def test_the_strict_reader_refuses_what_is_wrong(broken):
    page = f'<!DOCTYPE html>\n<html lang="en"><head><title>x</title></head><body>{broken}</body></html>'
    with pytest.raises(AssertionError):
        walk(page.encode())


@pytest.mark.parametrize(
    "words", ["the key is sk-ant-api03-0123456789abcdefghij, keep it", "https://me:hunter22@git.example.org"]
)
def test_what_looks_like_a_secret_is_on_no_page(words):
    shown = str(el("p", {"title": words}, words, ["and ", words]))

    assert "0123456789abcdefghij" not in shown and "hunter22" not in shown
    assert shown.count("(a ") == 3
