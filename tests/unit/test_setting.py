"""What pco-setup writes, and under which names."""

from datetime import UTC, datetime

from pco.commands.setting import writing

NOW = datetime(2026, 11, 28, 22, 59, 22, tzinfo=UTC)


def test_configurations_replaced_within_one_second_are_all_kept(tmp_path):
    place = writing.place(tmp_path / "pco.yaml", "")
    kept = []
    for text in ("one\n", "two\n", "three\n", "four\n"):
        before = writing.Present(text, {}, writing.Config(), "", "")
        change = writing.Change(place, before.text, text, None)

        writing.write(change, name := writing.backup_name(place, NOW))

        kept.append(name)

    name = "pco.yaml.bak-20261128T225922Z"
    assert kept == [name, name, f"{name}.2", f"{name}.3"]  # the first replaced nothing
    assert [(tmp_path / name).read_text() for name in kept[1:]] == ["one\n", "two\n", "three\n"]
