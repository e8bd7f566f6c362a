"""Lists as the server sends them: the envelope, its cursors, `order_by` and `fields`.

Of a cursor "{per_page}:{page}:{is_prev}" only the page counts; the offset is page * per_page of this request.
"""

from collections.abc import Callable, Sequence
from typing import Any

from pco.sim.answers import Row, detail, went_wrong

MOST = 1000


def page_of(query: dict[str, str]) -> tuple[int, int]:
    """Return (per_page, page) of a request.  Raises Refused for what the server refuses."""
    try:
        size = int(query.get("per_page", MOST))
    except ValueError as error:
        raise detail(400, "Invalid per_page parameter.") from error
    if size > MOST:
        raise detail(400, f"Invalid per_page value. Cannot exceed {MOST}.")
    page = cursor_page(query.get("cursor", f"{size}:0:0"))
    if size <= 0:
        raise went_wrong()
    if page < 0:
        raise detail(400, "Error in parsing")
    return size, page


def cursor_page(cursor: str) -> int:
    """Return the page number of a cursor."""
    try:
        size, page, back = cursor.split(":")
        float(size)
        int(back)
        return int(page)
    except ValueError as error:
        raise detail(400, "Invalid cursor parameter.") from error


def envelope(rows: Sequence[Row], query: dict[str, str], show: Callable[[Row], Any]) -> Row:
    """Return one page of `rows` (all of them, in order), each run through `show`.

    `next_cursor` is a string on the last page too, as on the server.
    """
    size, page = page_of(query)
    part = rows[page * size : (page + 1) * size]
    pages = -(-len(rows) // size)
    return {
        "grouped_by": None,
        "sub_grouped_by": None,
        "total_count": len(rows),
        "next_cursor": f"{size}:{page + 1}:0",
        "prev_cursor": f"{size}:{page - 1}:1",
        "next_page_results": (page + 1) * size < len(rows),
        "prev_page_results": page > 0,
        "count": len(part),
        "total_pages": pages,
        "total_results": len(rows),
        "extra_stats": None,
        "results": [show(row) for row in part],
    }


def names(query: dict[str, str], key: str) -> list[str]:
    """Return the comma-separated names of `fields` or `expand`."""
    return [name for name in query.get(key, "").split(",") if name]


def only(row: Row, fields: Sequence[str]) -> Row:
    """Return `row` with the named fields alone, in the row's order; unknown names are dropped, none means all."""
    return {name: value for name, value in row.items() if name in fields} if fields else row
