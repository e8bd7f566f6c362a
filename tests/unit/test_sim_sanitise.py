"""What becomes of a description_html in the simulator."""

import pytest

from pco.sim.sanitise import sanitised


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("<p>hi <b>x</b><script>alert(1)</script><img src=x onerror=alert(1)></p>", '<p>hi <b>x</b><img src="x"></p>'),
        ("just text", "<span>just text</span>"),
        ("<p>a</p><p>b</p>", "<div><p>a</p><p>b</p></div>"),
        ("text <b>bold</b>", "<span>text <b>bold</b></span>"),
        (
            '<h1>T</h1><p style="color:red" onclick="x()">a<script>1</script></p><iframe src="x"></iframe>'
            "<table><tr><td>1</td></tr></table>",
            '<div><h1>T</h1><p style="color:red">a</p><table><tbody><tr><td>1</td></tr></tbody></table></div>',
        ),
        (
            '<p><a href="https://example.com/">l</a></p>',
            '<p><a href="https://example.com/" rel="noopener noreferrer">l</a></p>',
        ),
        ('<a href=" JavaScript:alert(1)">j</a>', '<a rel="noopener noreferrer">j</a>'),
        ("<p>two & three", "<p>two &amp; three</p>"),
        ("<ul><li>one<li>two</ul>", "<ul><li>one</li><li>two</li></ul>"),
        ("<blink>old</blink>", "<span>old</span>"),
        ("<!-- note --><p>a</p>", "<p>a</p>"),
        ("<script>only</script>", ""),
    ],
)
def test_html_is_parsed_cleaned_and_written_anew(given, kept):
    assert sanitised(given) == kept


@pytest.mark.parametrize("given", ["", "  \n"])
def test_nothing_at_all_is_refused(given):
    with pytest.raises(ValueError, match="empty"):
        sanitised(given)
