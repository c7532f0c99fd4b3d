# SPDX-License-Identifier: GPL-2.0-or-later
"""Headers that are compiled once for the edits of timekeeping.c: when they are used, and that they change no code.
Assumes gcc, and a packaged kernel."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from liftable import UM
from runner import process
from runner.lift import detect, lift, units
from runner.lift.headers import Headers, Maker, leading


def test_the_includes_that_a_file_begins_with_end_at_anything_else() -> None:
    source = '/* a\n */\n#include <linux/a.h>\n\n# include <linux/b.h> // b\n#include "c.h"\n#include <d.h>\n'
    assert leading(source) == ["#include <linux/a.h>", "# include <linux/b.h>"]
    assert leading("#define pr_fmt(fmt) fmt\n#include <linux/a.h>\n") == []


def headers_of(folder: Path, text: str, compiler: str = "gcc") -> Headers:
    """Those of a unit in a small folder."""
    source = folder / "unit.c"
    source.write_text(text)
    command = [compiler, "-include", str(folder / "first.h"), "-O2", f"-Wp,-MMD,{folder / 'unit.d'}", "-c", "-o",
               str(folder / "unit.o"), str(source)]
    return Headers(folder, source, command, "key")


THREE = "#include <a.h>\n#include <b.h>\n#include <c.h>\n"


def test_headers_are_used_for_the_same_contents_alone(tmp_path: Path) -> None:
    (tmp_path / "um").mkdir()
    digests = {"a.h": "1"}
    headers = headers_of(tmp_path / "um", THREE)
    text = headers.text()
    assert text.splitlines()[0] == f'#include "{tmp_path}/um/first.h"' and text.endswith(THREE)
    assert headers.compiling(digests.__getitem__) is None, "there are none"
    (headers.folder / "headers.h").write_text(text)
    (headers.folder / "new").write_text("compiled")
    headers.keep(text, headers.folder / "new", dict(digests))
    compiling = headers.compiling(digests.__getitem__)
    assert compiling and compiling[:2] == ["gcc", "-O2"] and compiling[-6:-4] == [
        "-include", f"{tmp_path}/um/headers.h"]
    assert headers.compiling({"a.h": "2"}.__getitem__) is None, "another content of a header"
    headers_of(headers.folder, THREE.replace("b.h", "e.h"))
    assert headers.compiling(digests.__getitem__) is None, "another header"
    assert headers_of(headers.folder, THREE).compiling(digests.__getitem__)


@pytest.mark.parametrize(("text", "compiler"), [
    (THREE, "clang"), ("#define FIRST\n" + THREE, "gcc"), ("#include <a.h>\n", "gcc")],
    ids=["clang", "a definition first", "too few"])
def test_no_headers_are_made(tmp_path: Path, text: str, compiler: str) -> None:
    assert headers_of(tmp_path, text, compiler).text() == ""


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What compiles wrap_timekeeping.c from now on."""
    commands: list[list[str]] = []
    together = process.together

    def heard(jobs: Sequence[process.Job], meanwhile: Callable[[], None] | None = None) -> list[tuple[int, str]]:
        commands.extend(list(job.command) for job in jobs if job.command[-1].endswith("wrap_timekeeping.c"))
        return together(jobs, meanwhile)

    monkeypatch.setattr(units.process, "together", heard)
    return commands


def compiled(headers: Headers, cwd: Path, command: list[str]) -> bytes:
    """The object that a command makes."""
    target = headers.folder / "compared.o"
    command[-2] = str(target)
    subprocess.run(command, cwd=cwd, check=True)
    return target.read_bytes()


def test_the_second_edit_is_compiled_with_them_and_gives_the_same_code(
    checkout: Path, scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last scheduling pass places independent instructions in another order, so the code is compared without
    it: all other passes give the same."""
    source = checkout / detect.TIMEKEEPING

    def edited(name: str) -> lift.Lifted:
        source.write_text(source.read_text() + f"static int __maybe_unused {name};\n")
        with Maker() as maker:
            done = lift.lift(str(checkout), UM, scratch, ["linux.o"], maker=maker)
            maker.finish()
        return done

    lift.lift(str(checkout), UM, scratch, ["linux.o"])
    commands = recorded(monkeypatch)
    assert (edited("first").folder / "headers.json").exists()
    done = edited("second")
    assert [any(word.endswith("/headers.h") for word in command) for command in commands] == [False, True]
    # What was read is known as without them.
    assert "include/linux/clocksource.h" in (done.folder / "wrap_timekeeping.dep").read_text()

    (tmp_path / "um").mkdir()
    *command, _ = (done.folder / "wrap_timekeeping.command").read_text().split("\n")[:-1]
    command[-4:-4] = ["-fno-schedule-insns2"]
    headers = Headers(tmp_path / "um", source, [word for word in command if not word.startswith("-Wp,-M")], "key")
    text, cwd = headers.text(), (done.folder.parent / "kbuild" / UM.kbuild_name).resolve()
    (headers.folder / "headers.h").write_text(text)
    subprocess.run(headers.making(headers.folder / "new", tmp_path / "list"), cwd=cwd, check=True)
    headers.keep(text, headers.folder / "new", {})
    with_them = headers.compiling(lambda name: "")
    assert with_them
    # gcc says so if it does not take what was made, and would then compare the same with the same.
    with_them[1:1] = ["-Winvalid-pch", "-Werror=invalid-pch"]
    assert compiled(headers, cwd, with_them) == compiled(headers, cwd, list(headers.command))


def test_an_edit_that_they_do_not_go_with_is_compiled_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header without a guard, that the file includes twice: the words are those of the plain command."""
    plain, quick = ["sh", "-c", "echo plain"], ["sh", "-c", "echo quick; exit 1"]

    class Unit:
        command = plain

    done = [(1, "quick\n")]
    units._again([Unit()], [process.Job(quick)], done, tmp_path)  # type: ignore[list-item]
    assert done == [(0, "plain\n")]
