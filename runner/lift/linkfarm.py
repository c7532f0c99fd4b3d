# SPDX-License-Identifier: GPL-2.0-or-later
"""A farm of links that makes a kernel tree which was built in place look clean: kbuild refuses O=
for such a tree, because make would find its products there before the sources. Assumes kbuild's
habit of keeping, beside each product NAME, how it was made in .NAME.cmd."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

# Folders that kbuild looks for products in while it makes two objects; the others are linked whole.
WALKED = ("arch/x86", "arch/um", "include", "init", "kernel", "lib", "scripts")
SKIPPED = (".config", ".config.old", ".git", "include/config", "include/generated")
GENERATED = ("include/generated",)  # below arch/*/
SUFFIXES = (".o", ".a", ".ko", ".mod", ".cmd", ".s", ".i", ".order", ".builtin", ".lds", ".dtb")
# Made together with a product, and so without a .cmd of their own.
COMPANIONS = (".tab.h", ".lex.c", ".tab.c")


def built_in_place(tree: Path) -> bool:
    """Whether kbuild would refuse O= for it."""
    return (
        (tree / ".config").exists()
        or (tree / "include/config").is_dir()
        or any((tree / "arch" / arch / "include/generated").is_dir() for arch in ("x86", "um"))
    )


def _is_product(name: str, beside: set[str]) -> bool:
    return (
        name.endswith(SUFFIXES) and name != "vmlinux.lds" or f".{name}.cmd" in beside
        or name.endswith(COMPANIONS) or name == "vmlinux"
    )


def _wanted(tree: Path) -> dict[str, Path]:
    """Relative name and target of each link."""
    links: dict[str, Path] = {}

    def walk(folder: str) -> None:
        entries = list(os.scandir(tree / folder))
        names = {entry.name for entry in entries}
        for entry in entries:
            relative = f"{folder}/{entry.name}" if folder else entry.name
            if relative in SKIPPED or _is_product(entry.name, names):
                continue
            if relative.startswith("arch/") and relative.endswith(GENERATED):
                continue
            above = any(each.startswith(f"{relative}/") for each in WALKED)
            below = relative in WALKED or any(relative.startswith(f"{each}/") for each in WALKED)
            if entry.is_dir(follow_symlinks=False) and (above or below):
                # Headers hold no products but those skipped above.
                if relative.startswith("include/"):
                    links[relative] = tree / relative
                else:
                    walk(relative)
            else:
                links[relative] = tree / relative

    walk("")
    return links


def plant(tree: Path, folder: Path) -> Path:
    """Makes or renews the farm; the folder. What was linked before and still is stays untouched."""
    links = _wanted(tree)
    for base, folders, files in os.walk(folder):
        for name in files + [each for each in folders if os.path.islink(f"{base}/{each}")]:
            path = Path(base, name)
            relative = str(path.relative_to(folder))
            if links.get(relative) is None or os.readlink(path) != str(links[relative]):
                path.unlink()
    for relative, target in links.items():
        link = folder / relative
        if not link.is_symlink():
            if link.is_dir():
                shutil.rmtree(link)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
    return folder
