"""pco.yaml and its drop-ins, read with the place of every key, so that an error names file, line and key."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pco.ground import durable, shape, text
from pco.ground.config import Config, rooted
from pco.ground.errors import BadConfig, BadData

if TYPE_CHECKING:
    from yaml import Node

MOST_BYTES = 1 << 20
MOST_DEPTH = 20

_SCALARS = [f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp")]

Places = dict[str, tuple[Path, int]]  # dotted path -> file and line


def load(path: Path) -> Config:
    """Read `path`, then `path`.d/*.yaml by name, each over what came before.  Raises BadConfig: one line."""
    given, places = _all(path)
    try:
        config = _moved(shape.load(Config, given), given)
        return _checked(replace(config, paths=rooted(config.paths, given.get("paths", {}))))
    except shape.ShapeError as error:
        file, line = _place(places, error.where)
        raise BadConfig(f"{file}:{line}: {error}") from error


def places(path: Path) -> Places:
    """Where each key of the files stands, by its dotted path: file and line.  Raises BadConfig."""
    return _all(path)[1]


def _all(path: Path) -> tuple[dict[str, Any], Places]:
    given: dict[str, Any] = {}
    found_at: Places = {"": (path, 1)}
    for file in [path, *drop_ins(path)]:
        found, lines = _parse(file)
        # A section of which every line is a comment.
        _merge(given, {name: {} if value is None else value for name, value in found.items()})
        found_at.update(lines)
    return given, found_at


def stamp(path: Path) -> str:
    """What the file and its drop-ins look like on disk: another text once one of them is another."""
    with suppress(OSError, BadConfig):
        facts = [file.stat() for file in (path, *drop_ins(path))]
        return " ".join(f"{fact.st_ino}.{fact.st_mtime_ns}.{fact.st_size}" for fact in facts)
    return ""


def values(path: Path) -> dict[str, Any]:
    """The plain values of one file alone, not checked against any section.  Raises BadConfig."""
    return _parse(path)[0]


def drop_ins(path: Path) -> list[Path]:
    """The drop-ins of a configuration file, in the order in which they count."""
    folder = path.with_name(f"{path.name}.d")
    try:
        return sorted(p for p in folder.iterdir() if p.suffix == ".yaml" and not p.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise BadConfig(f"{folder}: {error.strerror}") from error


def _moved(config: Config, given: dict[str, Any]) -> Config:
    """What an older configuration has elsewhere: `sessions.keep` is `retention.workspaces` now."""
    if config.sessions.keep is None or "workspaces" in given.get("retention", {}):
        return config
    return replace(config, retention=replace(config.retention, workspaces=config.sessions.keep))


def _checked(config: Config) -> Config:
    """What types alone cannot say."""
    seen: dict[str, str] = {}
    for n, project in enumerate(config.plane.projects):
        for name, value in (("id", project.id), ("key", project.key)):
            if value and value in seen:
                raise shape.ShapeError(f"plane.projects[{n}].{name}", f"{value} stands in {seen[value]} already")
            seen[value] = f"plane.projects[{n}]"
        if project.tells_secret:
            why = "repository carries a password; name push_url without one, the credential is git-push"
            raise shape.ShapeError(f"plane.projects[{n}].push", why)
    if any(not part for part in config.sessions.command[:1]):
        raise shape.ShapeError("sessions.command", "begins with an empty text")
    return config


def _place(places: Places, where: str) -> tuple[Path, int]:
    """The place of a dotted path, or of the nearest mapping around it."""
    while where and where not in places:
        where = max(where.rpartition(".")[0], where.rpartition("[")[0], key=len)
    return places[where]


def _merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value


def _parse(path: Path) -> tuple[dict[str, Any], Places]:
    import yaml

    try:
        data = durable.read(path.resolve(), MOST_BYTES).decode("utf-8")
    except (OSError, BadData, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadConfig(f"{path}: {reason}", "pco-setup makes one; /etc/pco/pco.yaml is the default") from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _refuse_bombs(path, data, loader)
        root = yaml.compose(data, Loader=loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = text.line(str(error.problem or error.context), 200)
        raise BadConfig(f"{path}:{line}: {problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise BadConfig(f"{path}:1: {text.line(str(error), 200)}") from error
    if root is None:
        return {}, {}
    places: Places = {}
    value = _plain(path, root, "", places, yaml.SafeLoader(""))
    if not isinstance(value, dict):
        raise BadConfig(f"{path}:1: expected sections such as plane: and sessions:, not {type(value).__name__}")
    return value, places


def _refuse_bombs(path: Path, data: str, loader: Any) -> None:
    """Aliases let a small file grow without end; deep nesting exhausts the stack.  Neither is needed here."""
    import yaml

    depth = 0
    for event in yaml.parse(data, Loader=loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise BadConfig(
                f"{path}:{line}: *{text.line(str(event.anchor), 40)}: aliases are not allowed; write it out"
            )
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise BadConfig(f"{path}:{line}: nested deeper than {MOST_DEPTH}")


def _plain(path: Path, node: "Node", where: str, places: Places, builder: Any) -> Any:
    """Plain values of a node; notes where each stands.  Raises BadConfig for a key given twice, and for tags."""
    import yaml

    line = node.start_mark.line + 1
    places.setdefault(where, (path, line))
    if isinstance(node, yaml.MappingNode):
        return _mapping(path, node, where, places, builder)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(path, item, f"{where}[{n}]", places, builder) for n, item in enumerate(node.value)]
    if node.tag not in _SCALARS:
        raise BadConfig(f"{path}:{line}: {where}: the tag {text.line(node.tag, 60)} is not allowed")
    if node.tag.endswith(("str", "timestamp")):
        return node.value
    try:
        return builder.construct_object(node)
    except (ValueError, yaml.YAMLError) as error:
        raise BadConfig(f"{path}:{line}: {where}: {text.line(str(error), 100)}") from error


def _mapping(path: Path, node: "Node", where: str, places: Places, builder: Any) -> dict[str, Any]:
    import yaml

    values: dict[str, Any] = {}
    for name, item in node.value:
        line = name.start_mark.line + 1
        if not isinstance(name, yaml.ScalarNode):
            raise BadConfig(f"{path}:{line}: {where}: a key must be a word")
        inner = f"{where}.{name.value}" if where else name.value
        if name.value in values:
            raise BadConfig(f"{path}:{line}: {text.line(inner, 100)}: given twice")
        places[inner] = (path, line)
        values[name.value] = _plain(path, item, inner, places, builder)
    return values
