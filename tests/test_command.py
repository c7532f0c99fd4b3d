# SPDX-License-Identifier: GPL-2.0-or-later
"""The command itself: it runs no code of the folder that it is called in, and an interrupt ends it
without a traceback at any time. Assumes that the folder may be a hostile kernel tree."""

from __future__ import annotations

import argparse
import contextlib
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

import fakes
from conftest import ROOT, SECONDS, plain_environment
from runner import cli, options, plan, signals
from runner.errors import Problem

GOOD = fakes.log(("lock", ["ok it holds"]))
COMMAND = str(ROOT / "tickbench")


def loaded_modules(built: Path, folder: Path) -> set[str]:
    """The modules that a whole run of the host process loads, by the interpreter's own account."""
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-IS", COMMAND, "sim", "--build", str(built), "--output",
         str(folder / "first"), "scenario=lock", "duration=1"], cwd=folder, capture_output=True,
        text=True, timeout=SECONDS)
    assert ended.returncode == 0, ended.stderr[-2000:]
    names = {line.rsplit("|", 1)[1].strip() for line in ended.stderr.splitlines()
             if line.startswith("import time:")}
    assert {"json", "rich", "numpy", "matplotlib"} <= names
    # Imports that are tried and fail stand in no list.
    return names | {"sitecustomize", "usercustomize", "readline", "runner", "tickbench"}


def hostile(folder: Path, names: set[str], mark: Path) -> Path:
    """A folder with a module of each name that leaves a mark."""
    folder.mkdir()
    for name in {name.split(".")[0] for name in names if name.split(".")[0].isidentifier()}:
        (folder / f"{name}.py").write_text(f"open({str(mark)!r}, 'a').write({name!r} + ' ')\n")
    (folder / "matplotlibrc").write_text("savefig.dpi: 1\ntext.usetex: True\n")
    return folder


def test_no_module_comes_from_the_current_folder_or_the_environment(built: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    names = loaded_modules(built, tmp_path)
    folder = hostile(tmp_path / "tree", names, mark)
    home = tmp_path / "home"
    user = home / f".local/lib/python3.{sys.version_info.minor}/site-packages"
    user.parent.mkdir(parents=True)
    hostile(user, names, mark)
    environment = {**plain_environment(), "PYTHONPATH": str(folder), "HOME": str(home),
                   "PYTHONSTARTUP": str(folder / "json.py"), "PYTHONUSERBASE": str(home / ".local")}
    (tmp_path / "bin").mkdir()
    fakes.qemu(tmp_path / "bin", fakes.serial(tmp_path / "bin", GOOD, 33))
    output = ["--output", str(tmp_path / "out")]
    commands = [
        [COMMAND, "sim", "--build", str(built), *output, "scenario=lock", "duration=1"],
        [str(ROOT / "run-qemu.sh"), "--accel", "tcg", "--qemu", str(tmp_path / "bin/qemu"), *output],
        [COMMAND, "show", str(tmp_path / "out/report.json")],
        *([COMMAND, name, "--help"] for name in ("lift", "ladder", "soak", "bench")),
    ]
    for command in commands:
        ended = subprocess.run(command, cwd=folder, env={**environment, "BUILD": str(built)},
                               capture_output=True, text=True, timeout=SECONDS)
        assert ended.returncode == 0, (command, ended.stderr)
        assert not mark.exists(), (command, mark.read_text())
        if command[1] == "sim":
            # The picture's settings are ours too: at 1 dot per inch it would be a few hundred bytes.
            assert (tmp_path / "out/error.png").stat().st_size > 10000
    # The hostile folders do what they are for: without isolation they are found.
    subprocess.run([sys.executable, "-c", "import json"], cwd=folder, capture_output=True)
    assert mark.exists()


def test_a_module_that_is_missing_is_named_with_the_interpreter(tmp_path: Path) -> None:
    """As where the first python3 is not Debian's."""
    blocked = tmp_path / "blocked.py"
    blocked.write_text("import runpy, sys\nsys.modules['rich'] = None\nsys.argv = sys.argv[1:]\n"
                       "runpy.run_path(sys.argv[0], run_name='__main__')\n")
    ended = subprocess.run([sys.executable, str(blocked), COMMAND, "sim"], capture_output=True, text=True)
    assert ended.returncode == 2
    assert sys.executable in ended.stderr and "rich" in ended.stderr and "Traceback" not in ended.stderr


def test_every_command_has_its_help_with_examples_and_statuses(built: Path) -> None:
    helped = subprocess.run([COMMAND, "--help"], capture_output=True, text=True, check=True).stdout
    names = [line.split()[0] for line in helped.splitlines() if line.startswith("  ")]
    assert {"run", "sim", "show", "lift", "ladder", "soak", "bench"} <= set(names)
    assert set(names) == set(cli.COMMANDS) == set(options.EXAMPLES)
    assert options.STATUSES in helped
    for name in names:
        ended = subprocess.run([COMMAND, name, "--help"], capture_output=True, text=True, timeout=SECONDS)
        assert ended.returncode == 0 and "usage:" in ended.stdout, name
        assert len(options.EXAMPLES[name]) >= 2 and options.STATUSES in ended.stdout, name
        assert all(f"\n  {example}\n" in ended.stdout for example in options.EXAMPLES[name]), name


class Parsed(Exception):
    """The arguments were accepted."""


@pytest.mark.parametrize("example", [each for examples in options.EXAMPLES.values() for each in examples])
def test_every_example_of_a_help_text_is_accepted(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the parser of its command, and its name=value words by the plan."""
    def then_stop(parse: Callable[..., argparse.Namespace]) -> Callable[..., NoReturn]:
        def stop(self: options.Parser, arguments: Sequence[str]) -> NoReturn:
            given = parse(self, arguments)
            plan.parse(getattr(given, "words", []))
            raise Parsed(self.prog)
        return stop

    for name in ("parse_args", "parse_intermixed_args"):
        monkeypatch.setattr(options.Parser, name, then_stop(getattr(argparse.ArgumentParser, name)))
    program, command, *arguments = shlex.split(example)
    assert (ROOT / program).samefile(COMMAND)
    with pytest.raises(Parsed, match=f"tickbench {command}"):
        cli.COMMANDS[command].load()(arguments)


@pytest.mark.parametrize("command", list(options.EXAMPLES))
def test_an_option_that_does_not_exist_is_refused(command: str) -> None:
    ended = subprocess.run([COMMAND, command, "--nonsense"], capture_output=True, text=True, timeout=SECONDS)
    assert ended.returncode == 2
    assert Problem.USAGE.value in ended.stderr


def test_an_unknown_command_is_told() -> None:
    ended = subprocess.run([COMMAND, "fly"], capture_output=True, text=True)
    assert ended.returncode == 2 and "usage: tickbench" in ended.stderr


INTERRUPT_ON = """
import builtins, os, runpy, signal, sys
name, command = sys.argv[1], sys.argv[2:]
sys.argv = command
before = builtins.__import__
def load(wanted, *rest):
    if wanted == name:
        os.kill(os.getpid(), signal.SIGINT)
    return before(wanted, *rest)
builtins.__import__ = load
runpy.run_path(command[0], run_name="__main__")
"""


@pytest.mark.parametrize(("module", "command"), [
    ("site", "sim"), ("runner.cli", "sim"), ("rich.console", "sim"), ("numpy", "sim"), ("runner.lift.kbuild", "lift")])
def test_an_interrupt_while_modules_load_leaves_no_traceback(module: str, command: str) -> None:
    """At that very moment: the module that is about to be loaded sends it."""
    ended = subprocess.run([sys.executable, "-c", INTERRUPT_ON, module, COMMAND, command, "--help"],
                           capture_output=True, text=True, timeout=SECONDS)
    # By the signal itself, or by our own status for it: a shell has 130 for both.
    assert ended.returncode in (-signal.SIGINT, 130)
    assert "Traceback" not in ended.stderr


def catches_interrupts(pid: int) -> bool:
    """Whether a process has a handler for SIGINT."""
    found = re.search(r"^SigCgt:\s*([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return found is not None and bool(int(found[1], 16) >> (signal.SIGINT - 1) & 1)


def await_our_program(pid: int) -> None:
    """Until the interpreter has started and runs our first lines: it has set its handler, and they have put the
    default in its place. Whoever looks too late for that has waited long enough."""
    while not catches_interrupts(pid):
        time.sleep(0.001)
    until = time.monotonic() + 1
    while catches_interrupts(pid) and time.monotonic() < until:
        time.sleep(0.001)


def test_an_interrupt_at_any_moment_leaves_no_traceback(built: Path, tmp_path: Path) -> None:
    for number in range(8):
        child = subprocess.Popen(
            [COMMAND, "sim", "--build", str(built), "--output", str(tmp_path / "out"), "scenario=lock",
             "duration=1000000"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        # In steps over the program's start. Python itself cannot be interrupted well before that.
        await_our_program(child.pid)
        time.sleep(0.06 * number)
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate(timeout=SECONDS)
        assert child.returncode in (-signal.SIGINT, 130), stderr
        assert "Traceback" not in stderr


def test_an_interrupt_that_python_drops_comes_again() -> None:
    """In a finalizer an exception goes nowhere."""
    script = """
import signal, sys, time
sys.path.insert(0, sys.argv[1])
from runner import cli
class Dying:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
def command(arguments):
    x = Dying()
    del x
    time.sleep(100)
cli.Command.load = lambda self: command
sys.exit(cli.main(["run"]))
"""
    ended = subprocess.run([sys.executable, "-c", script, str(ROOT)], capture_output=True, text=True,
                           timeout=SECONDS)
    assert ended.returncode == 130, ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_run_that_is_interrupted_says_so_with_130(built: Path, tmp_path: Path) -> None:
    child = subprocess.Popen(
        [COMMAND, "sim", "--build", str(built), "--output", str(tmp_path / "out"), "scenario=lock",
         "duration=1000000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + SECONDS
    while not (tmp_path / "out" / "serial.log").exists():
        assert time.monotonic() < until and child.poll() is None
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    _, stderr = child.communicate(timeout=SECONDS)
    assert child.returncode == 130
    assert "interrupted" in stderr and "Traceback" not in stderr


WITH_JSON = [name for name, command in cli.COMMANDS.items()
             if "--json" in options.parser_of(command.load())._option_string_actions]


@pytest.mark.parametrize("name", WITH_JSON)
def test_json_is_alone_on_stdout_also_where_nothing_could_run(
        name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A program reads it: words about an error are for stderr. None of the trees that are named is there."""
    monkeypatch.setattr(signals, "raised", contextlib.nullcontext)
    parser = options.parser_of(cli.COMMANDS[name].load())
    needed = [action for action in parser._actions if not action.option_strings or action.required]
    words = [word for action in needed for word in (*action.option_strings[:1], str(tmp_path / "none"))]
    for wrong in (["--no-such-option"], ["--build", str(tmp_path / "file/folder")]):
        (tmp_path / "file").write_text("")
        assert cli.main([name, "--json", *words, *wrong]) == 2
        said = capsys.readouterr()
        assert said.out == "" and said.err.startswith("tickbench: "), said
