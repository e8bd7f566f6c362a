"""All that means harm (tests/corpus.py) in the configuration: as values, keys, whole files, and in the files it names."""

import dataclasses
import json
import os
import shutil
import types
import typing
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

import corpus
import inprocess
import pagewalk
from pco.commands.config import named as look_into
from pco.ground import shape, yamlfile
from pco.ground.config import Config
from pco.ground.errors import BadConfig
from pco.outside.agents.claude import settings
from pco.run import Pco
from support import TOP, WEB, Site, in_memory, laid_out

Place = tuple[str | int, ...]
MARK = "/dev/shm/pco-corpus-configured"
TEXTS = [corpus.marked(text, MARK) for text in corpus.ALL]
SAID = [text for text in TEXTS if text == corpus.encodable(text)]  # what YAML has words for: no half characters
pytestmark = pytest.mark.filterwarnings("error")
SHORT = 200  # characters: longer ones are tried where they are, at full length, and in each place only so far
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
ROUNDS = 24  # configurations, each of which has a text in every place
PROJECT = {"id": WEB, "repository": "/srv/web.git"}


def places(kind: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Each value that a section has, by the names that lead to it, and its type; of a list of sections the first."""
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        inner, place = hints[field.name], (*at, field.name.rstrip("_"))
        if typing.get_origin(inner) in (types.UnionType, typing.Union):
            inner = next(one for one in typing.get_args(inner) if one is not type(None))
        if typing.get_origin(inner) is tuple and dataclasses.is_dataclass(typing.get_args(inner)[0]):
            inner, place = typing.get_args(inner)[0], (*place, 0)
        if dataclasses.is_dataclass(inner):
            yield from places(inner, place)
        else:
            yield place, inner


def given(place: Place, value: Any) -> Any:
    """A configuration that has this there, and whatever cannot be left out."""
    if not place:
        return value
    inner = given(place[1:], value)
    return [{**PROJECT, **inner}] if place[0] == 0 else {place[0]: inner}


def forms(kind: Any, text: str) -> list[Any]:
    """The text by itself, and as what such a value may be."""
    if kind is Path:
        return [text, f"/{text}"]
    if typing.get_origin(kind) is tuple:
        return [text, [text]]
    if typing.get_origin(kind) is dict:
        return [text, {"X": text}, {text: text}]
    return [text, f"https://e.example/{text}"] if kind is str else [text]


def accepted(place: Place, kind: Any, text: str) -> list[Any]:
    """Those of its forms that may stand there; each other one is refused in words."""
    found = []
    for value in forms(kind, text[:SHORT]):
        try:
            shape.load(Config, given(place, value))
        except shape.ShapeError as error:
            assert len(text) <= 100 or repr(text[:101])[1:-1] not in error.message, error  # named, not repeated
        else:
            found.append(value)
    return found


@pytest.fixture
def site() -> Iterator[Site]:
    """Thousands of files are written there."""
    with in_memory() as folder:
        yield laid_out(folder / "pco")


@pytest.fixture(scope="module")
def taken() -> dict[Place, list[Any]]:
    """What each place takes of all the texts."""
    found = {at: [value for text in SAID for value in accepted(at, kind, text)] for at, kind in places(Config)}
    return {place: values for place, values in found.items() if values}


@pytest.fixture(scope="module", autouse=True)
def nothing_runs() -> Iterator[None]:
    """Of none of the texts anything is executed."""
    yield
    assert not Path(MARK).exists()


def said(site: Site, program: str, *words: str) -> inprocess.Said:
    """What a program says, which moves no terminal, and ends as programs do."""
    done = inprocess.run(site.config, program, *words)
    assert not corpus.unseen(done.out) and not corpus.unseen(done.err), (words, done)
    assert done.code in (0, 1) or (done.code in (65, 69, 71, 75, 77, 78) and done.err.startswith(f"pco-{program}: "))
    assert done.err.count("\n") <= 2, done.err
    return done


def put(into: dict[str, Any], place: Place, value: Any) -> None:
    """Have a value stand in a configuration beside what is in it."""
    found: Any = into
    for name, following in pairwise(place):
        found = found[0] if name == 0 else found.setdefault(name, [dict(PROJECT)] if following == 0 else {})
    found[place[-1]] = value


def test_what_a_value_may_not_be_is_refused_and_what_it_may_be_is_shown_whole(
    site: Site, taken: dict[Place, list[Any]]
) -> None:
    assert {("plane", "workspace"), ("contacts", "owner"), ("claude", "environment"), ("post", "state")} <= {*taken}
    assert not {("display", "timezone"), ("sessions", "limit"), ("plane", "projects", 0, "id")} & {*taken}
    for place in (
        ("plane", "url"),
        ("plane", "projects", 0, "repository"),
        ("claude", "base_url"),
        ("sessions", "prompt"),
    ):
        assert not [value for value in taken[place] if corpus.unseen(value)], place
    for place in (("sessions", "command"), ("notify", "mail", "sendmail")):
        assert len(taken[place]) > 200 and not [value for value in taken[place] if "\0" in value[0]], place
    for n in range(ROUNDS):
        values: dict[str, Any] = {}
        for m, (place, found) in enumerate(taken.items()):
            if place[0] != "paths":
                one = found[(n + m * 7) % len(found)]
                put(values, place, [word for value in found[n::ROUNDS] for word in value] if type(one) is list else one)
        site.config.write_text(yaml.dump(values, Dumper=DUMPER))
        config = yamlfile.load(site.config)
        assert json.loads(said(site, "config", "show", "--format", "json").out) == shape.dump(config)
        again = site.home / "again.yaml"
        again.write_text(said(site, "config", "show").out)
        assert yamlfile.load(again) == config
        said(site, "config", *(["show", "--origin"] if n % 2 else ["diff", "--defaults"]))


def as_bytes(text: str) -> bytes:
    """A text as a file may have it, also where it is no UTF-8."""
    return text.encode("utf-8", "surrogateescape" if "\udcff" in text else "replace")


def test_whatever_stands_in_place_of_a_file_or_a_key_is_named_with_its_file_and_line(
    site: Site, tmp_path: Path
) -> None:
    drop_in = site.config.with_name("pco.yaml.d") / "10-x.yaml"
    drop_in.parent.mkdir()
    refused = 0
    for text in TEXTS:
        word = json.dumps(corpus.encodable(text[:SHORT]))
        for data in (
            as_bytes(text),
            b"plane: " + as_bytes(text[:SHORT]),
            f"{word}: {{}}".encode(),
            f"plane: {{{word}: x}}".encode(),
            f"plane: {{projects: [{{{word}: {word}}}]}}".encode(),
            f"claude: {{environment: {{{word}: {word}}}}}".encode(),
            f"a: &{word[1:-1]} x".encode(),
            f"{word}: *{word[1:-1]}".encode(),
            f"{word}: ! {word}".encode(),
        ):
            drop_in.write_bytes(data)
            try:
                yamlfile.load(site.config)
            except BadConfig as error:
                refused += 1
                assert str(error).startswith(f"{drop_in}:"), error
                assert len(str(error).replace(str(drop_in), "")) < 1500, error
        drop_in.write_bytes(f"plane: {{{word}: {word}}}\n".encode())
        assert said(site, "config", "check").code == 78
    assert refused > 6 * len(TEXTS)


def test_the_files_that_are_named_are_looked_into_and_refused_in_words(site: Site) -> None:
    home = site.home
    shutil.copytree(TOP / "share" / "claude" / "template", home / "template")
    named = {"prompt": home / "prompt", "comment": home / "comment", "servers": home / "servers"}
    named["seed"] = home / "template" / "settings.json"
    site.configure(
        sessions={"prompt": str(named["prompt"])},
        post={"template": str(named["comment"])},
        claude={"mcp_config": str(named["servers"]), "template": str(home / "template")},
    )
    good = {"prompt": b"$key", "comment": b"$summary", "servers": b'{"mcpServers": {}}', "seed": b"{}"}
    for name, content in good.items():
        named[name].write_bytes(content)
    assert said(site, "config", "check").code == 0
    pco = Pco("pco-config")
    pco.config_file = str(site.config)
    refused = dict.fromkeys(good, 0)
    for text in TEXTS:
        word = corpus.encodable(text)
        servers = json.dumps({"mcpServers": {word: {"command": word, "args": [word], "url": word}}}).encode()
        for name, content in (
            ("prompt", as_bytes(text)),
            ("comment", as_bytes(text) + b"\n$summary"),
            ("servers", as_bytes(text)),
            ("servers", servers),
            ("seed", as_bytes(text)),
        ):
            named[name].write_bytes(content)
            try:
                look_into(pco)
            except BadConfig as error:
                refused[name] += 1
                assert str(named[name]) in str(error) and "\n" not in str(error)
                assert refused[name] % 50 or said(site, "config", "check").code == 78
            named[name].write_bytes(good[name])
        with pytest.raises(BadConfig):
            settings.check(as_bytes(text))
    assert min(refused.values()) > 0 and refused["servers"] >= len(TEXTS)


def test_drop_ins_and_hooks_with_harmful_names_are_taken_or_passed_over(site: Site) -> None:
    folder = site.config.with_name("pco.yaml.d")
    folder.mkdir()
    for text in TEXTS:
        name = as_bytes(text).replace(b"/", b"_").replace(b"\0", b"_")[:200]
        path = os.fsencode(folder) + b"/" + name + b".yaml"
        Path(os.fsdecode(path)).write_text("log: {level: info}\n")
        assert said(site, "config", "show", "--origin", "log").code == 0
        Path(os.fsdecode(path)).write_text("log: {level: wrong}\n")
        assert name.startswith(b".") or said(site, "config", "check").code == 78
        os.unlink(path)


def test_contacts_that_mean_harm_are_text_on_the_board(site: Site, taken: dict[Place, list[Any]]) -> None:
    names = ("owner", "on_call", "tracker", "infrastructure", "feedback")
    texts = [value for value in taken["contacts", "owner"] if not value.startswith("https://e.example/")]
    assert len(texts) > 150
    for n in range(0, len(texts), len(names)):
        site.configure(contacts=dict(zip(names, texts[n:], strict=False)))
        assert said(site, "dashboard").code == 0
        pagewalk.walk((site.home / "www" / "index.html").read_bytes())
        json.loads((site.home / "www" / "board.json").read_text("ascii"))
