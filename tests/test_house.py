# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules of the house, which no compiler checks: who includes whom, that a core never prints, what
every file begins with. Assumes a git work tree or a plain copy of the sources."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT, need

C_SUFFIXES = (".c", ".h")
SOURCE_SUFFIXES = (".c", ".h", ".asm", ".py", ".sh", ".mk", ".ld", ".asl", ".S", ".lds")
SOURCE_NAMES = ("Makefile", "run", "tickbench", ".clang-format")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)
# Freestanding C has these without a libc.
FREESTANDING = {"stdarg.h", "stddef.h", "stdbool.h", "stdint.h", "limits.h"}
# GNU-EFI's headers are for the room that boots, and no other.
EFI = {"efi.h", "efilib.h"}
# Rooms that are linked into every vehicle, or know the bare machine. docs/architecture.md says who knows whom.
FREE_ROOMS = ("lib", "vmclock", "tk", "clock", "measure", "scenario", "arch", "boot")
PRINTING = re.compile(r"\b(?:out_\w*printf|out_ns|out_decimal|str_printf|printk|printf|puts|putchar|fputs)\s*\(")


def tracked() -> list[Path]:
    """Every file of the project; without git, every file that is not made."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        names = [name for name in listed.stdout.split("\0") if name]
        return [ROOT / name for name in names if (ROOT / name).is_file()]
    return [path for path in ROOT.rglob("*") if path.is_file()
            and not {".git", "build", "__pycache__"} & set(path.relative_to(ROOT).parts)]


def c_files(room: str) -> list[Path]:
    """The C files of a room that every vehicle links: not the publisher, not the lift."""
    apart = {"vmclock/host", "tk/linux"}
    return [path for path in tracked() if path.suffix in C_SUFFIXES
            and path.relative_to(ROOT).parts[0] == room
            and str(path.parent.relative_to(ROOT)) not in apart]


def includes(path: Path) -> list[tuple[str, str]]:
    return INCLUDE.findall(path.read_text())


@pytest.mark.parametrize("room", FREE_ROOMS)
def test_a_freestanding_room_includes_no_libc(room: str) -> None:
    files = c_files(room)
    assert files, f"there is nothing in {room}"
    known = FREESTANDING | (EFI if room == "boot" else set())
    for path in files:
        for mark, name in includes(path):
            assert mark == '"' or name in known, f"{path.relative_to(ROOT)} includes a libc's <{name}>"


def test_hardware_knows_nothing_of_scenarios() -> None:
    for path in c_files("arch"):
        assert "scenario" not in path.read_text().lower(), path


def test_a_core_never_prints() -> None:
    for path in c_files("tk"):
        found = [line for line in path.read_text().splitlines()
                 if PRINTING.search(line) and not line.strip().startswith(("/*", "*"))]
        assert not found, f"{path.relative_to(ROOT)}: {found}"


def test_every_source_has_its_licence_and_a_purpose() -> None:
    for path in tracked():
        if path.suffix not in SOURCE_SUFFIXES and path.name not in SOURCE_NAMES:
            continue
        name = path.relative_to(ROOT)
        head = path.read_text(errors="replace").splitlines()[:8]
        at = [number for number, line in enumerate(head[:2])
              if "SPDX-License-Identifier: GPL-2.0-or-later" in line]
        assert at, f"{name} has no SPDX line"
        if path.name != ".clang-format":
            # A comment or a docstring that says what it is for.
            assert re.search(r"[A-Za-z]{2,} [A-Za-z]", "\n".join(head[at[0] + 1:])), f"{name} says not what it is"


def test_files_fit_in_a_sitting() -> None:
    for path in tracked():
        if path.suffix in (".c", ".h", ".py", ".asm") and "tests" not in path.parts:
            assert len(path.read_text().splitlines()) <= 700, path.relative_to(ROOT)


def _prints(tree: ast.AST) -> bool:
    return any(isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
               and node.func.id == "print" for node in ast.walk(tree))


def _functions(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]


def test_every_python_function_has_type_hints() -> None:
    for path in tracked():
        if path.suffix != ".py":
            continue
        for function in _functions(path):
            arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            bare = [argument.arg for argument in arguments
                    if argument.annotation is None and argument.arg not in ("self", "cls")]
            assert not bare and (function.returns is not None), (
                f"{path.relative_to(ROOT)}: {function.name} {bare}")


def test_what_computes_does_not_print() -> None:
    """print() stands in the commands alone: a function that returns a value never calls it."""
    for path in tracked():
        if path.suffix != ".py" or "runner" not in path.parts or path.name == "cli.py":
            continue
        for function in _functions(path):
            returns = ast.unparse(function.returns) if function.returns else ""
            if _prints(function):
                assert returns in ("None", "int", "Status"), f"{path.name}: {function.name} prints"


def _runner_modules() -> dict[str, Path]:
    """Each module of runner/ by its dotted name; a package by its folder's."""
    found = {}
    for path in tracked():
        name = path.relative_to(ROOT)
        if name.parts[0] == "runner" and name.suffix == ".py":
            found[".".join(name.with_suffix("").parts).removesuffix(".__init__")] = path
    return found


def _runner_imports() -> dict[str, set[str]]:
    """What each module of runner/ imports of runner/, in functions too. An import of a name counts for the
    module that defines it, and not for the package around it."""
    modules = _runner_modules()
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        named = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                named |= {each.name for each in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                inner = [f"{node.module}.{each.name}" for each in node.names]
                named |= {each if each in modules else node.module for each in inner}
        graph[module] = named & set(modules)
    return graph


# Which rooms of runner/ a room may import. "" is the ground: the modules beside the rooms.
RUNNER_ROOMS = {"": {""}, "report": {"", "report"}, "guest": {"", "report", "guest"},
                "lift": {"", "report", "lift"}, "simulate": {"", "report", "simulate"},
                "study": {"", "report", "guest", "lift", "simulate", "study"},
                "disruption": {"", "report", "guest", "lift", "disruption"},
                "linux": {"", "report", "guest", "lift", "linux"},
                "commands": {"", "report", "guest", "lift", "simulate", "study", "commands"}}


def _runner_room(module: str) -> str:
    room = module.split(".")[1] if "." in module else ""
    return room if room in RUNNER_ROOMS else ""


def test_no_module_of_the_runner_imports_another_in_a_circle() -> None:
    graph = _runner_imports()
    assert graph["runner.cli"] and graph["runner.guest.boot"], "the imports were not read"
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))


def test_a_room_of_the_runner_imports_only_the_rooms_below_it() -> None:
    for module, named in _runner_imports().items():
        for each in named:
            assert _runner_room(each) in RUNNER_ROOMS[_runner_room(module)], f"{module} imports {each}"
    used = {_runner_room(module) for module in _runner_modules()}
    assert used == set(RUNNER_ROOMS), "a room of the table is not there"


def test_no_line_stands_elsewhere_too() -> None:
    checker = ROOT.parent / "shared" / "check" / "copied-code"
    if not checker.exists():
        pytest.skip(f"there is no {checker}")
    ended = subprocess.run([str(checker), str(ROOT)], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_shell_scripts_are_posix() -> None:
    shell = need("dash", "dash")
    for path in tracked():
        if path.suffix == ".sh" or path.parent.name == ".ci":
            ended = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True)
            assert ended.returncode == 0, ended.stderr


def _without_comments(text: str) -> str:
    """C source without comments, strings and preprocessor lines."""
    plain = re.sub(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"', "", text, flags=re.DOTALL)
    return re.sub(r"^\s*#(?:[^\n]*\\\n)*[^\n]*", "", plain, flags=re.MULTILINE)


def long_functions(text: str, limit: int) -> list[tuple[int, int]]:
    """(line of the opening brace, lines up to the closing one) of each C function above the limit."""
    found, start = [], None
    for number, line in enumerate(text.splitlines(), 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            if number - start + 1 > limit:
                found.append((start, number - start + 1))
            start = None
    return found


def test_no_c_function_is_longer_than_60_lines() -> None:
    assert long_functions("int f(void)\n{\n" + "\n" * 59 + "}\n", 60) == [(2, 61)]
    for path in tracked():
        if path.suffix in C_SUFFIXES:
            assert not long_functions(path.read_text(), 60), path.relative_to(ROOT)


# A definition at the start of a line, with its brace on a line of its own.
DEFINITION = re.compile(r"^(?!static\b|typedef\b)[A-Za-z_][\w \t*]*?\b(\w+)\([^;{}]*\)\s*\n\{", re.MULTILINE)
STATIC = re.compile(r"^static [^;{}=]*?\b(\w+)\(", re.MULTILINE)
CALL = re.compile(r"\b(?!__attribute__)(\w+)\s*\(")


def file_graph(sources: dict[str, str]) -> dict[str, set[str]]:
    """Which file uses which, by name without suffix: a header by what it includes, a .c by whom it
    calls. A function that two programs define (a stand-in) is left out."""
    plain = {name: _without_comments(text) for name, text in sources.items()}
    owners: dict[str, set[str]] = {}
    for name, text in plain.items():
        if name.endswith(".c"):
            for function in DEFINITION.findall(text):
                owners.setdefault(function, set()).add(name[:-2])
    graph: dict[str, set[str]] = {name[:-2]: set() for name in sources}
    for name, text in plain.items():
        stem = name[:-2]
        if name.endswith(".h"):
            graph[stem] |= {other[:-2] for mark, other in INCLUDE.findall(sources[name]) if mark == '"'}
        else:
            for function in set(CALL.findall(text)) - set(STATIC.findall(text)):
                if len(owners.get(function, ())) == 1:
                    graph[stem] |= owners[function]
        graph[stem].discard(stem)
    return graph


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The files of one circle, in order; empty if there is none."""
    done: set[str] = set()

    def follow(name: str, path: list[str]) -> list[str]:
        if name in path:
            return path[path.index(name):]
        if name in done:
            return []
        for other in sorted(graph.get(name, ())):
            found = follow(other, [*path, name])
            if found:
                return found
        done.add(name)
        return []

    for name in sorted(graph):
        found = follow(name, [])
        if found:
            return found
    return []


def test_files_do_not_use_each_other_in_a_circle() -> None:
    two = {"a.c": "void a(void)\n{\n\tb();\n}\n", "b.c": "void b(void)\n{\n\ta();\n}\n"}
    assert circle(file_graph(two)) == ["a", "b"]
    apart = {"tests", "fuzz"}
    sources = {str(path.relative_to(ROOT)): path.read_text() for path in tracked()
               if path.suffix in C_SUFFIXES and path.relative_to(ROOT).parts[0] not in apart}
    assert not circle(file_graph(sources))
