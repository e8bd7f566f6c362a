"""The folders show the layers; this holds them."""

import ast
from pathlib import Path

import pytest

from support import TOP

LIB = TOP / "lib" / "pco"
FLOORS = {"ground": 0, "rules": 1, "spool": 1, "outside": 1, "pages": 2, "checks": 2, "voice": 2}
FLOORS |= {"run": 3, "commands": 4, "command": 4}
MODULES = sorted(LIB.rglob("*.py"))


def part(module: str) -> str:
    """`ground` of `pco.ground.text`."""
    return module.split(".")[1] if "." in module else ""


def imports(path: Path) -> set[str]:
    """The modules of pco that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found |= (
                {f"{node.module}.{name.name}" for name in node.names} if node.module == "pco" else {node.module or ""}
            )
    return {name for name in found if name.split(".")[0] == "pco"}


def wrong(mine: str, theirs: str) -> bool:
    """Whether a part of pco may not import another."""
    if theirs in ("", "__version__") or mine == theirs:
        return False
    if "sim" in (mine, theirs) or theirs == "start":
        return True
    if mine == "start":
        return theirs not in ("command", "commands")
    return FLOORS[theirs] > FLOORS[mine] or (
        FLOORS[theirs] == FLOORS[mine] and {mine, theirs} != {"commands", "command"}
    )


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(LIB)))
def test_imports_point_down_only(path):
    mine = path.relative_to(LIB).with_suffix("").parts[0]
    if mine == "__init__":
        assert not imports(path)
        return
    assert [name for name in imports(path) if wrong(mine, part(name))] == []


def test_the_rule_sees_what_it_forbids():
    assert wrong("rules", "spool")
    assert wrong("ground", "rules")
    assert wrong("spool", "outside")
    assert wrong("commands", "sim")
    assert wrong("sim", "ground")
    assert not wrong("commands", "ground")


def test_no_module_imports_itself_in_a_circle():
    graph = {}
    for path in MODULES:
        parts = ("pco", *path.relative_to(LIB).with_suffix("").parts)
        name = ".".join(parts).removesuffix(".__init__")
        graph[name] = {n for n in top_level(path) if n != name}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        for following in graph.pop(name, set()):
            visit(following, (*trail, name))

    for name in list(graph):
        visit(name, ())


def top_level(path: Path) -> set[str]:
    """The modules a file imports when it is loaded, not inside its functions or for the type checker alone."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pco":
            home = LIB.parent / Path(*(node.module or "").split("."))
            for name in node.names:
                inner = (home / f"{name.name}.py").exists() or (home / name.name / "__init__.py").exists()
                found.add(f"{node.module}.{name.name}" if inner else node.module or "")
    return found
