# SPDX-License-Identifier: GPL-2.0-or-later
"""`tickbench --completion bash`: the completion of tickbench and run-qemu.sh, as a script for bash. It is made of
the commands' own parsers, of tickbench-sim's parameters and of the list of scenarios, so that it has what
there is."""

from __future__ import annotations

import argparse
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runner import options, scenarios
from runner.errors import CannotRun
from runner.lift.words import GROUPS, SWITCHES

PARAMETER = re.compile(r"^  ([a-z]\w*) +(\S.*)$", re.MULTILINE)
# What a value is, by its metavar or its name: a folder, a file, a core, parameters of an experiment, a core or a
# file, or all of these.
FOLDERS, FILES, CORES, PARAMS, EITHER, ALL = "folders", "files", "cores", "params", "either", "all"
# Values of parameters that are one of a few words.
CHOICES = {"core": ("native", "linux"), "clock": ("virtual", "tsc"), "tick": ("auto", "deadline", "oneshot"),
           "registered": ("hz", "khz"), "expect": ("release", "any", *SWITCHES), "switches": (*GROUPS, *SWITCHES)}


@dataclass
class Words:
    """What can follow a command: its options; the choices or the kind of each option's value; and the kind of
    what stands without an option."""

    options: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    operand: str = ""


def _kind(action: argparse.Action) -> str:
    """The choices of a value, joined by blanks, or its kind; empty: nobody knows."""
    if action.choices is not None:
        return " ".join(str(choice) for choice in action.choices)
    name = (action.metavar if isinstance(action.metavar, str) else action.dest) or ""
    if "name=value" in name:
        return ALL if "CORE" in name else PARAMS
    if re.search(r"\b(CORE|TREE|linux|tree|core|base)", name) or re.fullmatch(r"[AB]|REV", name):
        return CORES
    if "FOLDER" in name:
        return FOLDERS
    return FILES if action.type is Path or re.search(r"FILE|PATH|json|patches", name, re.I) else ""


def words_of(parser: argparse.ArgumentParser) -> Words:
    """What a parser takes."""
    found = Words()
    for action in parser._actions:  # argparse has no other list of them
        if not action.option_strings:
            kind = _kind(action) or found.operand
            found.operand = kind if found.operand in ("", kind) else EITHER
            continue
        found.options += [name for name in action.option_strings if name.startswith("--")]
        if action.nargs != 0:
            for name in action.option_strings:
                found.values[name] = _kind(action)
    return found


def parameters(build: Path) -> dict[str, str]:
    """tickbench-sim's parameters, and the values of those that have a list of them. Empty if it is not built."""
    program = build / "tickbench-sim"
    if not program.exists():
        return {}
    said = subprocess.run([str(program), "--help"], capture_output=True, text=True).stdout
    section = said.partition("Parameters:\n")[2].partition("\n\n")[0]
    found = {name: "0 1" if meaning.startswith("0 or 1") else "" for name, meaning in PARAMETER.findall(section)}
    found |= {name: " ".join(values) for name, values in CHOICES.items()}
    try:
        found["scenario"] = " ".join((*scenarios.read(build).by_name, "all"))
    except CannotRun:
        pass
    return found


def _case(label: str, kind: str) -> str:
    reply = {FOLDERS: "_tickbench_folders", FILES: "_tickbench_files", CORES: "_tickbench_cores",
             PARAMS: "_tickbench_params", EITHER: "_tickbench_either", ALL: "_tickbench_all"}.get(
                 kind, f"_tickbench_words '{kind}'")
    return f"\t'{label}') {reply} ;;"


SCRIPT = """\
# Completion of tickbench and run-qemu.sh for bash, made by `tickbench --completion bash`.
_tickbench_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }
_tickbench_files() { compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); }
_tickbench_folders() { compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); }
_tickbench_cores() {
	local head=
	case $cur in *,*) head=${cur%,*}, ;; esac
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -P "$head" -W native -- "${cur#"$head"}"; compgen -P "$head" -d -- "${cur#"$head"}")
}
_tickbench_either() {
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -W native -- "$cur"; compgen -f -- "$cur")
}
_tickbench_all() {
	local -a files
	mapfile -t files < <(compgen -W native -- "$cur"; compgen -f -- "$cur")
	_tickbench_params
	COMPREPLY+=("${files[@]}")
}
_tickbench_params() {
	local name=${cur%%=*} head values=
	case $cur in
	*=*)
		case $name in
@VALUES@
		esac
		head=$name=
		case $cur in *,*) head=${cur%,*}, ;; esac
		mapfile -t COMPREPLY < <(compgen -P "$head" -W "$values" -- "${cur#"$head"}")
		;;
	*)
		compopt -o nospace 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -S = -W "@PARAMETERS@" -- "$cur")
		;;
	esac
}
_tickbench() {
	local line=${COMP_LINE:0:COMP_POINT} cur prev command
	local -a typed
	COMPREPLY=()
	read -ra typed <<<"$line"
	case $line in *[[:space:]]) typed+=("") ;; esac
	cur=${typed[${#typed[@]} - 1]}
	prev=${typed[${#typed[@]} - 2]}
	case ${typed[0]##*/} in
	run-qemu.sh) command=run ;;
	*) [ ${#typed[@]} -gt 2 ] && command=${typed[1]} ;;
	esac
	case $command:$prev:$cur in
	:*) _tickbench_words '@COMMANDS@' ;;
@OPTION_VALUES@
	*) _tickbench_rest ;;
	esac
	# bash replaces what follows the last = or : alone, where it breaks words there.
	local break
	for break in = :; do
		case $COMP_WORDBREAKS,$cur in
		*$break*,*$break*) COMPREPLY=("${COMPREPLY[@]#"${cur%"$break"*}$break"}") ;;
		esac
	done
}
_tickbench_rest() {
	case $command:$cur in
@OPTIONS@
@OPERANDS@
	esac
}
complete -F _tickbench tickbench ./tickbench run-qemu.sh ./run-qemu.sh
"""


def script(commands: Mapping[str, Words], params: Mapping[str, str]) -> str:
    """The script, of the words of each command and the parameters of an experiment."""
    values = [f"\t{name}:{option}:*) " + _case("", kind).split(") ", 1)[1]
              for name, words in commands.items() for option, kind in words.values.items()]
    opts = [f"\t{name}:-*) _tickbench_words '{' '.join(words.options)}' ;;" for name, words in commands.items()]
    operands = [f"\t{name}:*) " + _case("", words.operand).split(") ", 1)[1] for name, words in commands.items()]
    replaced = {
        "@VALUES@": "\n".join(f"\t\t{name}) values='{listed}' ;;" for name, listed in params.items() if listed),
        "@PARAMETERS@": " ".join(params),
        "@COMMANDS@": " ".join((*commands, "--help", "--completion")),
        "@OPTION_VALUES@": "\n".join(values), "@OPTIONS@": "\n".join(opts), "@OPERANDS@": "\n".join(operands)}
    text = SCRIPT
    for mark, by in replaced.items():
        text = text.replace(mark, by)
    return text


def bash(mains: Mapping[str, Callable[[Sequence[str]], int]], build: Path) -> str:
    """The script for these commands."""
    return script({name: words_of(options.parser_of(main)) for name, main in mains.items()}, parameters(build))
