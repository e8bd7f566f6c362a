import os

import pytest

from pco.ground import durable
from pco.ground.errors import BadData, SystemFault
from support import bound, closed


def test_a_new_file_has_its_mode_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        durable.write_new(tmp_path / "a", b"x", 0o660)
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o660


def test_a_file_that_is_there_is_not_overwritten_nor_a_link_followed(tmp_path):
    (tmp_path / "a").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    for name in ("a", "link"):
        with pytest.raises(FileExistsError):
            durable.write_new(tmp_path / name, b"new")
    assert (tmp_path / "a").read_text() == "old"
    assert not (tmp_path / "target").exists()


def test_a_replaced_file_is_new_or_old_for_a_reader(tmp_path):
    (tmp_path / "a").write_text("old")
    with open(tmp_path / "a") as reader:
        durable.replace(tmp_path / "a", b"new")
        assert reader.read() == "old"
    assert (tmp_path / "a").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_what_cannot_be_asked_for_is_not_taken_for_absent(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    inside = tmp_path / "folder" / "a"
    inside.touch()
    assert [durable.there(path) for path in (inside, tmp_path / "link", inside / "b", tmp_path / "c")] == [1, 1, 0, 0]

    with bound(), closed(tmp_path / "folder"), pytest.raises(SystemFault, match="Permission denied"):
        durable.there(inside)


@pytest.mark.parametrize("plant", ["link", "fifo", "folder", "socket", "large"])
def test_only_regular_files_of_bounded_size_are_read(tmp_path, plant):
    path = tmp_path / "x"
    match plant:
        case "link":
            path.symlink_to("/etc/hostname")
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "socket":
            import socket

            socket.socket(socket.AF_UNIX).bind(str(path))
        case "large":
            path.write_bytes(b"x" * 101)
    with pytest.raises(BadData):
        durable.read(path, 100)
    folder = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(BadData):
        durable.read("x", 100, folder)


def test_a_file_of_just_the_limit_is_read(tmp_path):
    (tmp_path / "x").write_bytes(b"x" * 100)
    assert durable.read(tmp_path / "x", 100) == b"x" * 100
