"""The folder that the web server gives out: all pages of tickets made anew at once."""

import errno
import os
import tempfile
from pathlib import Path
from unittest import mock

import pytest

from pco.ground import durable
from pco.ground.errors import SystemFault
from pco.outside.www import Site


@pytest.fixture(params=["in one step", "one by one"])
def site(tmp_path, request, monkeypatch):
    """A site with three pages, on a file system that can exchange two folders, and on one that cannot."""
    if request.param == "one by one":
        monkeypatch.setattr(durable, "exchange", lambda one, other: False)
    site = Site(tmp_path)
    site.prepare()
    for key in ("WEB-1", "WEB-2", "WEB-3"):
        site.put(f"ticket/{key}.html", b"old")
    return site


def pages(site):
    return {path.name: path.read_bytes() for path in (site.root / "ticket").iterdir()}


def test_new_pages_are_seen_all_at_once_and_only_those_are_there(site):
    site.begin()
    site.put("ticket/WEB-1.html", b"new")
    site.put("ticket/WEB-4.html", b"new")
    assert pages(site) == dict.fromkeys(("WEB-1.html", "WEB-2.html", "WEB-3.html"), b"old")

    site.finish({"WEB-1", "WEB-4"}, {"WEB-1", "WEB-2", "WEB-4"})

    assert pages(site) == {"WEB-1.html": b"new", "WEB-2.html": b"old", "WEB-4.html": b"new"}
    assert os.listdir(site.root / ".built") == []
    assert site.removed == 1


def test_what_was_begun_and_not_made_is_not_seen(site):
    site.begin()
    site.put("ticket/WEB-1.html", b"ne")
    site.put("ticket/WEB-4.html", b"ne")

    site.finish(set(), {"WEB-1", "WEB-4"})

    assert pages(site) == {"WEB-1.html": b"old"}


def test_a_page_that_is_as_it_was_keeps_its_file(site):
    before = (site.root / "ticket" / "WEB-1.html").stat().st_ino
    site.begin()
    site.put("ticket/WEB-1.html", b"old")
    site.put("ticket/WEB-2.html", b"new")

    site.finish({"WEB-1", "WEB-2"}, {"WEB-1", "WEB-2"})

    assert pages(site) == {"WEB-1.html": b"old", "WEB-2.html": b"new"}
    assert (site.root / "ticket" / "WEB-1.html").stat().st_ino == before


def test_a_page_whose_file_cannot_be_taken_is_written(site, monkeypatch):
    monkeypatch.setattr(os, "link", mock.Mock(side_effect=PermissionError(errno.EPERM, "Operation not permitted")))
    site.begin()
    site.put("ticket/WEB-1.html", b"old")

    site.finish({"WEB-1"}, {"WEB-1"})

    assert pages(site) == {"WEB-1.html": b"old"}


def test_a_file_that_not_all_may_read_is_written_again(site):
    page = site.root / "ticket" / "WEB-1.html"
    page.chmod(0o600)

    site.put("ticket/WEB-1.html", b"old")

    assert page.stat().st_mode & 0o777 == 0o644


def test_a_page_that_two_make_is_not_changed_under_the_eyes_of_readers(site):
    site.begin()
    site.put("ticket/WEB-1.html", b"old")

    site.put("ticket/WEB-1.html", b"new")  # the ticket has moved between the two

    assert pages(site)["WEB-1.html"] == b"old"
    site.finish({"WEB-1"}, {"WEB-1"})
    assert pages(site) == {"WEB-1.html": b"new"}


def test_what_a_killed_run_left_is_forgotten(site):
    site.begin()
    site.put("ticket/WEB-4.html", b"half")

    later = Site(site.root)
    later.prepare()

    assert set(pages(later)) == {"WEB-1.html", "WEB-2.html", "WEB-3.html"}
    assert not (site.root / ".built" / "ticket").exists()


def test_afterwards_a_page_is_replaced_as_ever(site):
    site.begin()
    site.finish(set(), {"WEB-1"})

    site.put("ticket/WEB-1.html", b"newer")

    assert pages(site) == {"WEB-1.html": b"newer"}


def test_a_folder_that_is_gone_is_named(site):
    site.begin()
    os.rmdir(site.root / ".built" / "ticket")

    with pytest.raises(SystemFault, match=r"ticket/WEB-1\.html: No such file"):
        site.put("ticket/WEB-1.html", b"new")


def test_where_the_file_system_refuses_it_no_two_folders_take_each_others_place(tmp_path):
    """As overlayfs does, with EXDEV, for a folder of a layer below."""
    elsewhere = Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        if elsewhere.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("temporary files are in /dev/shm: there is no second file system")
        assert durable.exchange(str(elsewhere), str(tmp_path)) is False
    finally:
        elsewhere.rmdir()


def test_two_files_take_each_others_place(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1")
    other.write_text("2")

    assert durable.exchange(str(one), str(other)) is True

    assert (one.read_text(), other.read_text()) == ("2", "1")
    with pytest.raises(FileNotFoundError):
        durable.exchange(str(one), str(tmp_path / "nothing"))
