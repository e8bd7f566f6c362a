"""Room that is kept for a full disk.  On a disk that really is full: tests/system/test_full.py."""

import errno

import pytest

from pco.ground import reserve

SIZE = 1 << 20


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_reserve_takes_up_the_room_that_it_says(tmp_path):
    (tmp_path / reserve.NAME).touch()

    assert reserve.keep(tmp_path, SIZE)

    facts = (tmp_path / reserve.NAME).stat()
    assert facts.st_size == SIZE
    assert facts.st_blocks * 512 >= SIZE
    assert not reserve.keep(tmp_path, SIZE), "it is there already"


def test_one_that_is_only_a_hole_is_filled(tmp_path):
    with open(tmp_path / reserve.NAME, "wb") as file:
        file.truncate(SIZE)

    assert reserve.keep(tmp_path, SIZE)

    assert (tmp_path / reserve.NAME).stat().st_blocks * 512 >= SIZE


def test_it_is_given_up_once_and_what_was_to_be_done_is_done_again(tmp_path):
    (tmp_path / reserve.NAME).touch()
    reserve.keep(tmp_path, SIZE)
    tries = []

    def act() -> str:
        tries.append((tmp_path / reserve.NAME).stat().st_size)
        return full() if len(tries) == 1 else "done"

    assert reserve.spare(tmp_path, act) == "done"
    assert tries == [SIZE, 0]
    with pytest.raises(OSError, match="No space left"):
        reserve.spare(tmp_path, full)


def test_without_one_and_for_other_trouble_nothing_is_tried_again(tmp_path):
    tries = []

    def refused() -> None:
        tries.append(1)
        raise PermissionError(errno.EACCES, "no")

    (tmp_path / reserve.NAME).touch()
    reserve.keep(tmp_path, SIZE)
    with pytest.raises(PermissionError):
        reserve.spare(tmp_path, refused)
    assert len(tries) == 1
    assert (tmp_path / reserve.NAME).stat().st_size == SIZE
    with pytest.raises(OSError, match="No space left"):
        reserve.spare(tmp_path / "elsewhere", full)


def test_no_program_makes_one_where_none_was_laid_out_or_follows_a_link(tmp_path):
    assert not reserve.keep(tmp_path, SIZE)
    assert not (tmp_path / reserve.NAME).exists()

    victim = tmp_path / "victim"
    victim.write_bytes(b"x" * 10)
    (tmp_path / reserve.NAME).symlink_to(victim)

    assert not reserve.give_up(tmp_path)
    with pytest.raises(OSError, match="symbolic"):
        reserve.keep(tmp_path, SIZE)
    assert victim.read_bytes() == b"x" * 10


def test_it_shrinks_when_less_is_wanted(tmp_path):
    (tmp_path / reserve.NAME).touch()
    reserve.keep(tmp_path, SIZE)

    reserve.keep(tmp_path, 0)

    assert (tmp_path / reserve.NAME).stat().st_blocks == 0
