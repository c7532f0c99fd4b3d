# SPDX-License-Identifier: GPL-2.0-or-later
"""The names of cores in tables and pictures."""

from __future__ import annotations

from typing import Any

ALL_SWITCHES = ("all", "remainder,clawback,tail,divzero,reference,feed,skew")


def kernel_name(tree: str, release: str, revision: str) -> str:
    """The name of a lifted kernel: linux-7.2.12-1 for a package, else the tree's name, its release, and its
    revision where that adds something. Each of the three may be empty."""
    if not tree or tree == f"linux-{release}":
        if not revision or revision.startswith(release):
            return f"linux-{revision or release or '?'}"
        return f"linux-{release} {revision}" if release else f"linux-{revision}"
    return " ".join([tree, *(part for part in (release, revision) if part and part not in tree)])


def core_words(run: dict[str, Any]) -> str:
    """A lifted core by its kernel; native with its switches if they differ from the whole series."""
    if run["core"] == "linux":
        kernel = run.get("kernel") or {}
        name = kernel_name(kernel.get("tree") or "", kernel.get("release") or "", kernel.get("revision") or "")
        return f"{name}, booted" if run.get("vehicle") == "linux" else name
    switches = run["switches"]
    if switches in ALL_SWITCHES or not switches:
        return "native"
    return f"native, {switches.replace(',', ' ')}"
