# SPDX-License-Identifier: GPL-2.0-or-later
"""Completion in bash, by bash's own means: a line and a position in it, and what bash would offer. The script is
made of the parsers, so each option of each command is there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from conftest import ROOT, need
from runner import cli, options
from runner.commands import completion


@pytest.fixture(scope="session")
def script(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("bash", "bash")
    made = {name: command.load() for name, command in cli.COMMANDS.items()}
    path = tmp_path_factory.mktemp("completion") / "tickbench.bash"
    path.write_text(completion.bash(made, built))
    return path


def offered(script: Path, line: str, folder: Path = ROOT) -> list[str]:
    """What bash would offer at the end of a line. bash breaks words at = and : too, as COMP_WORDS has them."""
    text = f"""\
source {script}
function=$(complete -p "$1" | sed -E 's/.*-F ([^ ]+).*/\\1/')
COMP_LINE=$2 COMP_POINT=${{#2}}
mapfile -t COMP_WORDS < <(printf '%s\\n' "$2" | sed -E 's/([=:])/ \\1 /g' | tr ' ' '\\n')
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
$function "$1" "${{COMP_WORDS[COMP_CWORD]}}"
[ ${{#COMPREPLY[@]}} = 0 ] || printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    ended = subprocess.run(["bash", "--norc", "-c", text, "bash", line.split()[0], line], capture_output=True,
                           text=True, cwd=folder)
    assert ended.returncode == 0 and not ended.stderr, ended.stderr
    return ended.stdout.splitlines()


@pytest.mark.parametrize("line, some", [
    ("./tickbench ", {"run", "sim", "matrix", "--help"}),
    ("tickbench mat", {"matrix"}),
    ("./run-qemu.sh --acc", {"--accel"}),
    ("./run-qemu.sh --accel ", {"auto", "kvm", "tcg"}),
    ("./tickbench run --boot u", {"uefi"}),
    ("./tickbench sim scenario=l", {"lock", "late"}),  # what follows the = alone is replaced
    ("./tickbench sim scenario=lock,s", {"lock,slew", "lock,step"}),
    ("./tickbench sim switches=rem", {"remainder", "remainder-v2"}),
    ("./tickbench sim tickless=", {"0", "1"}),
    ("./tickbench sim counter_h", {"counter_hz="}),
    ("./tickbench sim scenario=lock + rate", {"rate_ppm="}),
    ("./tickbench sim clock=", {"virtual", "tsc"}),
    ("./tickbench run tick=", {"auto", "deadline", "oneshot"}),
    ("./tickbench sim registered=k", {"khz"}),
    ("./tickbench run expect=", {"release", "any", "clawback"}),
    ("./tickbench compare na", {"native"}),
    ("./tickbench compare native READ", {"README.md"}),
    ("./tickbench compare native native:none scen", {"scenario="}),
    ("./tickbench compare scenario=l", {"lock", "late"}),
    ("./tickbench series READ", {"README.md"}),
    ("./tickbench lift --arch ", {"um", "x86"}),
    ("./tickbench soak --as", {"--as-it-is"}),
])
def test_a_line_is_completed(script: Path, line: str, some: set[str]) -> None:
    assert some <= set(offered(script, line)), offered(script, line)


@pytest.mark.parametrize("name", sorted(completion.CHOICES))
def test_a_value_that_is_offered_is_one_that_is_taken(built: Path, name: str) -> None:
    """But for a lifted core: this program has none, and says so."""
    for value in completion.CHOICES[name]:
        ended = subprocess.run([str(built / "tickbench-sim"), "--check", f"{name}={value}"], capture_output=True,
                               text=True)
        assert ended.returncode == 0 or (value == "linux" and "where one was lifted" in ended.stderr), ended.stderr


def test_exactly_what_fits_is_offered(script: Path) -> None:
    assert offered(script, "./tickbench mat") == ["matrix"]
    assert sorted(offered(script, "./tickbench run --accel ")) == ["auto", "kvm", "tcg"]
    assert offered(script, "./tickbench nonsense --") == []


def test_every_option_of_every_command_is_offered(script: Path) -> None:
    for name, command in cli.COMMANDS.items():
        parser = options.parser_of(command.load())
        there = {option for action in parser._actions for option in action.option_strings if option.startswith("--")}
        assert there <= set(offered(script, f"./tickbench {name} --")), name
    assert set(cli.COMMANDS) <= set(offered(script, "./tickbench "))


def test_trees_folders_and_files_are_completed(script: Path, tmp_path: Path) -> None:
    (tmp_path / "linux tree").mkdir()
    (tmp_path / "linux.toml").write_text("")
    assert offered(script, "tickbench lift lin", tmp_path) == ["linux tree"]
    assert offered(script, "tickbench matrix --cores native,lin", tmp_path) == ["native,linux tree"]
    assert offered(script, "tickbench matrix --cores na", tmp_path) == ["native"]
    assert sorted(offered(script, "tickbench matrix lin", tmp_path)) == ["linux tree", "linux.toml"]
    assert offered(script, "tickbench matrix --build lin", tmp_path) == ["linux tree"]


def test_the_command_prints_the_script(built: Path) -> None:
    ended = subprocess.run([str(ROOT / "tickbench"), "--completion", "bash"], capture_output=True, text=True)
    assert ended.returncode == 0 and "complete -F _tickbench" in ended.stdout, ended.stderr
    assert subprocess.run(["bash", "-n"], input=ended.stdout, text=True).returncode == 0
    other = subprocess.run([str(ROOT / "tickbench"), "--completion", "fish"], capture_output=True, text=True)
    assert other.returncode == 2
