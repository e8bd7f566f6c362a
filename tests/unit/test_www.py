"""The folder that the web server gives out: each file whole, whoever else writes there."""

import os

import pytest

from pco.ground.errors import SystemFault
from pco.outside.www import Site


@pytest.fixture
def site(tmp_path):
    """A site with three pages."""
    site = Site(tmp_path)
    site.prepare()
    for key in ("WEB-1", "WEB-2", "WEB-3"):
        site.put(f"ticket/{key}.html", b"old")
    return site


def pages(site):
    return {path.name: path.read_bytes() for path in (site.root / "ticket").iterdir()}


def test_a_page_that_is_as_it_was_keeps_its_file(site):
    before = (site.root / "ticket" / "WEB-1.html").stat().st_ino
    site.written = 0

    site.put("ticket/WEB-1.html", b"old")
    site.put("ticket/WEB-2.html", b"new")

    assert pages(site) == {"WEB-1.html": b"old", "WEB-2.html": b"new", "WEB-3.html": b"old"}
    assert (site.root / "ticket" / "WEB-1.html").stat().st_ino == before
    assert site.written == 1


def test_a_file_that_not_all_may_read_is_written_again(site):
    page = site.root / "ticket" / "WEB-1.html"
    page.chmod(0o600)

    site.put("ticket/WEB-1.html", b"old")

    assert page.stat().st_mode & 0o777 == 0o644


def test_processes_that_write_at_once_have_unfinished_files_of_their_own(site, monkeypatch):
    other, real, met = Site(site.root), os.rename, []
    other.apart()

    def rename(one, two):
        monkeypatch.setattr(os, "rename", real)
        met.extend(os.listdir(site.root / ".built"))
        other.put("ticket/WEB-2.html", b"of the other")
        real(one, two)

    monkeypatch.setattr(os, "rename", rename)

    site.put("ticket/WEB-1.html", b"of the one")

    assert met == ["new"]
    assert pages(site) == {"WEB-1.html": b"of the one", "WEB-2.html": b"of the other", "WEB-3.html": b"old"}
    assert os.listdir(site.root / ".built") == []


def test_a_page_that_two_make_is_not_changed_under_the_eyes_of_readers(site):
    with open(site.root / "ticket" / "WEB-1.html", "rb") as reader:
        site.put("ticket/WEB-1.html", b"new")

        assert reader.read() == b"old"


def test_what_a_killed_run_left_goes_and_what_it_remembered_stays(site):
    site.remember("now", {"known": 1})
    for name in ("new", "new.1", "ticket/WEB-1.html"):  # the last of an earlier pco
        (site.root / ".built" / name).parent.mkdir(exist_ok=True)
        (site.root / ".built" / name).write_bytes(b"half")

    later = Site(site.root)
    later.prepare()

    assert os.listdir(site.root / ".built") == ["now.json"]
    assert later.recall("now") == {"known": 1}


def test_a_folder_that_is_gone_is_named(site):
    for name in pages(site):
        site.remove(f"ticket/{name}")
    os.rmdir(site.root / "ticket")

    with pytest.raises(SystemFault, match=r"ticket/WEB-1\.html: No such file"):
        site.put("ticket/WEB-1.html", b"new")


def test_what_stands_in_the_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "ticket").write_text("not a folder")

    with pytest.raises(SystemFault, match=r"ticket: File exists"):
        Site(tmp_path).prepare()
