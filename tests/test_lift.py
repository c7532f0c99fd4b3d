# SPDX-License-Identifier: GPL-2.0-or-later
"""The lift's promises: a kernel's two sources as they stand, from wherever a user has them, without a
trace in the user's tree, and an end with the right words where it cannot be done. Assumes kernels from
Debian (tests/liftable.py); what cannot be had is skipped by name."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import ROOT, Ended, build_path, plain_environment
from liftable import KERNELS, Kernel, lifted
from runner.errors import CannotRun, Problem
from runner.lift import debian, detect, kbuild, lift, linkfarm, trees
from runner.lift.kbuild import Variant

UM = Variant("um", 1000, True)
NEWEST = Kernel("7.3")
OLDEST_FIXED = Kernel("7.2")
SOURCES = (detect.TIMEKEEPING, detect.NTP)
# A change that every tree takes, and that compiles: which way an error of exactly 0 is rounded.
BEFORE, AFTER = "tk->ntp_error > 0 ?", "tk->ntp_error >= 0 ?"


@pytest.fixture(scope="session", params=KERNELS, ids=lambda kernel: kernel.word)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    return request.param


def git(tree: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(tree), "-c", "user.name=test", "-c", "user.email=test@localhost", *arguments],
        check=True, capture_output=True, text=True).stdout.strip()


def replace(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git checkout of a kernel that was never configured."""
    source = lifted(NEWEST, 1000).tree.path
    tree = tmp_path_factory.mktemp("checkout") / "linux"
    shutil.copytree(source, tree, symlinks=True)
    git(tree, "init", "-q")
    git(tree, "add", "-f", ".")
    git(tree, "commit", "-q", "-m", "as released")
    git(tree, "tag", "v1")
    return tree


@pytest.fixture
def checkout(pristine: Path) -> Path:
    git(pristine, "reset", "-q", "--hard", "v1")
    git(pristine, "clean", "-qfdx")
    return pristine


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder of our own."""
    return tmp_path_factory.mktemp("build")


def simulate(folder: Path, *arguments: str) -> list[str]:
    """What the host process measures, without what it says of itself."""
    done = subprocess.run([str(folder / "tickbench-sim"), "core=linux", *arguments],
                          capture_output=True, text=True, timeout=100)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return [line.strip() for line in done.stdout.splitlines() if "# metric" in line or "ok " in line]


def metric(lines: list[str], name: str) -> float:
    return next(float(line.split()[3]) for line in lines if line.startswith(f"# metric {name} "))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# What is lifted


def test_the_lifted_sources_are_byte_for_byte_what_was_fetched(kernel: Kernel) -> None:
    if not trees.RELEASE.fullmatch(kernel.word):
        pytest.skip(f"{kernel.word} did not come from a package")
    done = lifted(kernel, 1000)
    archive = debian.fetch(kernel.word).archive
    if not archive.exists():
        pytest.skip(f"{archive} is no longer in the cache")
    name = f"linux-source-{'.'.join(done.tree.kernel.split('.')[:2])}"
    package = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE)
    member = subprocess.Popen(["tar", "-xO", "--wildcards", f"*/{name}.tar.xz"],
                              stdin=package.stdout, stdout=subprocess.PIPE)
    assert package.stdout and member.stdout
    package.stdout.close()
    packed = subprocess.run(
        ["tar", "-xJO", "--occurrence=1", *(f"{name}/{source}" for source in sorted(SOURCES))],
        stdin=member.stdout, capture_output=True, check=True).stdout
    member.stdout.close()
    package.wait(), member.wait()
    built = [(done.tree.path / source).read_bytes() for source in sorted(SOURCES)]
    # tar gives them in its own order.
    assert packed in (b"".join(built), b"".join(reversed(built)))


def test_the_report_names_the_sources_that_are_in_the_program(kernel: Kernel) -> None:
    done = lifted(kernel, 1000)
    said = subprocess.run([str(done.folder / "tickbench-sim"), "core=linux", "scenario=lock",
                           "duration=1"], capture_output=True, text=True).stdout
    for name, source in (("timekeeping_sha256", SOURCES[0]), ("ntp_sha256", SOURCES[1])):
        expected = sha256((done.tree.path / source).read_bytes())
        assert f"# param {name} {expected}\n" in said
    assert f"# param kernel {done.tree.kernel}\n" in said


def test_the_object_defines_the_core_and_nothing_else(kernel: Kernel) -> None:
    names = subprocess.run(["nm", "-g", "--defined-only", str(lifted(kernel, 1000).folder / "linux.o")],
                           capture_output=True, text=True, check=True).stdout.split()[2::3]
    assert names == ["tk_linux"]


def test_a_core_starts_afresh_in_the_same_process(kernel: Kernel) -> None:
    once = ["scenario=slew", "duration=20"]
    lines = simulate(lifted(kernel, 1000).folder, *once, "+", *once, "core=linux")
    first, second = lines[:len(lines) // 2], lines[len(lines) // 2:]
    number = re.compile(r"^((?:not )?ok) \d+")
    assert [number.sub(r"\1", line) for line in first] == [number.sub(r"\1", line) for line in second]


def test_without_nohz_it_measures_the_same() -> None:
    periodic = lift.lift(NEWEST.word, Variant("um", 1000, False), build_path())
    same = ["scenario=lock", "duration=20"]
    assert simulate(periodic.folder, *same) == simulate(lifted(NEWEST, 1000).folder, *same)


def guest_agrees(kernel: Kernel, hz: int, run_qemu: Callable[..., Ended], built: Path) -> None:
    lifted(kernel, hz, arch="x86")
    scenarios = "lock,slew,nohz,freq"
    host = simulate(lifted(kernel, hz).folder, f"hz={hz}", f"scenario={scenarios}",
                    "duration=20")
    ended = run_qemu("--accel", "tcg", "--no-page", "--core", f"linux:{kernel.word}", "clock=virtual",
                     f"hz={hz}", f"scenario={scenarios}", "duration=20", build=built)
    guest = [line.strip() for line in ended.serial.splitlines()
             if "# metric" in line or "ok " in line]
    assert len(host) > 40
    assert guest == host


def test_guest_and_host_process_agree_to_the_last_digit(
    kernel: Kernel, run_qemu: Callable[..., Ended], built: Path,
) -> None:
    guest_agrees(kernel, 1000, run_qemu, built)


@pytest.mark.parametrize("hz", [100, 250])
def test_guest_and_host_process_agree_at_other_hz(
    hz: int, run_qemu: Callable[..., Ended], built: Path
) -> None:
    guest_agrees(NEWEST, hz, run_qemu, built)


def test_sim_lifts_for_the_hz_that_it_is_asked_for(built: Path, tmp_path: Path) -> None:
    lifted(NEWEST, 250)
    done = subprocess.run(
        ["make", "-s", "-C", str(ROOT), f"BUILD={build_path()}", "sim", f"LINUX={NEWEST.word}", "HZ=250",
         "SCENARIO=lock", "DURATION=10", f"ARGS=--output {tmp_path}"],
        env=plain_environment(), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# param hz 250\n" in (tmp_path / "serial.log").read_text()


# What it shows


@pytest.mark.parametrize("rate", ["12.345678", "-345.678"])
def test_7_3_stays_on_the_line(rate: str) -> None:
    lines = simulate(lifted(NEWEST, 1000).folder, "scenario=lock", f"rate_ppm={rate}")
    # One mult step over one tick at 2596.146 MHz is 0.155 ns.
    assert metric(lines, "max_abs_ns") <= 0.16
    assert abs(metric(lines, "drift_ns_per_s")) < 0.001


def test_7_2_drifts_by_the_remainder_it_keeps_subtracting() -> None:
    lines = simulate(lifted(OLDEST_FIXED, 1000).folder, "scenario=lock", "rate_ppm=12.345678")
    assert metric(lines, "drift_ns_per_s") == pytest.approx(64.60, abs=0.05)


# Where a tree comes from


def test_a_checkout_is_lifted_with_its_uncommitted_edit_and_left_alone(
    checkout: Path, scratch: Path
) -> None:
    replace(checkout / detect.TIMEKEEPING, BEFORE, AFTER)
    done = lift.lift(str(checkout), UM, scratch)
    assert done.stage.timekeeping_sha256 == sha256((checkout / detect.TIMEKEEPING).read_bytes())
    assert done.tree.revision == "v1-dirty"
    assert git(checkout, "status", "--porcelain", "--ignored") == f"M {detect.TIMEKEEPING}"
    assert metric(simulate(done.folder, "scenario=lock", "duration=5"), "max_abs_ns") < 0.2


def test_a_revision_is_lifted_while_the_checkout_is_elsewhere(checkout: Path, scratch: Path) -> None:
    released = sha256((checkout / detect.TIMEKEEPING).read_bytes())
    replace(checkout / detect.TIMEKEEPING, BEFORE, AFTER)
    done = lift.lift(f"{checkout}@v1", UM, scratch)
    assert done.stage.timekeeping_sha256 == released
    assert (done.tree.kernel, done.tree.revision) == (trees.release_of(checkout), "v1")
    assert sha256((checkout / detect.TIMEKEEPING).read_bytes()) != released
    assert git(checkout, "status", "--porcelain", "--ignored") == f"M {detect.TIMEKEEPING}"


def test_trees_of_one_name_are_told_apart_and_two_words_for_one_are_one(
    checkout: Path, scratch: Path, tmp_path: Path
) -> None:
    other = tmp_path / checkout.name
    other.symlink_to(checkout)
    git(checkout, "branch", "-f", "topic/a")
    words = [str(checkout), str(other), f"{checkout}@v1", f"{checkout}@topic/a"]
    made = lift.images(words, 1000, "sim", scratch, lambda text: None)
    # The link is the same tree, and topic/a the same commit as v1.
    assert [image.label for image in made] == ["linux", "linux@topic_a"]
    assert all(image.sim.exists() for image in made)


def listing(tree: Path) -> dict[str, tuple[int, int]]:
    return {str(path.relative_to(tree)): (path.lstat().st_mtime_ns, path.lstat().st_size)
            for path in tree.rglob("*") if ".git" not in path.parts and not path.is_dir()}


def test_a_tree_built_in_place_is_lifted_and_left_alone(
    checkout: Path, scratch: Path, tmp_path: Path
) -> None:
    make = ["make", "-s", "-j2", "-C", str(checkout), "ARCH=um"]
    options = tmp_path / "options"
    options.write_text(kbuild.fragment(UM))
    for goals in ([f"KCONFIG_ALLCONFIG={options}", "allnoconfig"],
                  ["kernel/time/ntp.o", "kernel/time/timekeeping.o"]):
        subprocess.run([*make, *goals], check=True, capture_output=True, env=kbuild.environment())
    assert linkfarm.built_in_place(checkout)
    before = listing(checkout)
    done = lift.lift(str(checkout), UM, scratch)
    assert listing(checkout) == before
    assert metric(simulate(done.folder, "scenario=lock", "duration=5"), "max_abs_ns") < 0.2
    # An edit goes through the links.
    replace(checkout / detect.TIMEKEEPING, BEFORE, AFTER)
    again = lift.lift(str(checkout), UM, scratch)
    assert again.stage.timekeeping_sha256 == sha256((checkout / detect.TIMEKEEPING).read_bytes())


def test_after_an_edit_only_its_unit_is_compiled(checkout: Path, scratch: Path) -> None:
    first = lift.lift(str(checkout), UM, scratch)
    units = {name: (first.folder / f"wrap_{name}.o").stat().st_mtime_ns for name in ("timekeeping", "ntp")}
    replace(checkout / detect.TIMEKEEPING, BEFORE, AFTER)
    done = lift.lift(str(checkout), UM, scratch)
    simulate(done.folder, "scenario=lock", "duration=1")
    assert (done.folder / "wrap_timekeeping.o").stat().st_mtime_ns > units["timekeeping"]
    assert (done.folder / "wrap_ntp.o").stat().st_mtime_ns == units["ntp"]
    assert re.search(r"kbuild [0-9.]+ s, compile [0-9.]+ s, link [0-9.]+ s$", done.timing())


@pytest.mark.parametrize("arch", ["um", "x86"])
def test_what_was_made_from_nothing_is_kept(checkout: Path, tmp_path: Path, arch: str) -> None:
    variant = Variant(arch, 1000, True)
    done = lift.lift(str(checkout), variant, tmp_path, ["linux.o"])
    made = (done.folder / "linux.o").stat().st_mtime_ns
    lift.lift(str(checkout), variant, tmp_path, ["linux.o"])
    assert (done.folder / "linux.o").stat().st_mtime_ns == made


def test_an_unchanged_tree_is_not_built_again(checkout: Path, scratch: Path) -> None:
    first = lift.lift(str(checkout), UM, scratch)
    made = (first.folder / "linux.o").stat().st_mtime_ns
    assert (lift.lift(str(checkout), UM, scratch).folder / "linux.o").stat().st_mtime_ns == made


def test_a_header_that_changed_is_noticed(checkout: Path, scratch: Path) -> None:
    first = lift.lift(str(checkout), UM, scratch)
    made = (first.folder / "wrap_timekeeping.o").stat().st_mtime_ns
    with (checkout / "include/linux/timekeeper_internal.h").open("a") as header:
        header.write("/* changed */\n")
    again = lift.lift(str(checkout), UM, scratch)
    assert (again.folder / "wrap_timekeeping.o").stat().st_mtime_ns > made


# What cannot be lifted


def refused(word: object, build: Path, variant: Variant = UM) -> CannotRun:
    with pytest.raises(CannotRun) as caught:
        lift.lift(str(word), variant, build)
    return caught.value


def test_a_compile_error_ends_with_the_compilers_own_words(
    checkout: Path, scratch: Path, tmp_path: Path
) -> None:
    lift.lift(str(checkout), UM, scratch)
    source = checkout / detect.TIMEKEEPING
    with source.open("a") as file:
        file.write("int broken(void) { return nowhere; }\n")
    line = len(source.read_text().splitlines())
    error = refused(checkout, scratch)
    assert error.problem is Problem.LIFT_EDIT
    assert re.search(rf"^{re.escape(str(source))}:{line}:\d+: error: .nowhere. undeclared",
                     error.detail, re.MULTILINE)
    # The same from nothing, where kbuild itself is the first to compile it.
    error = refused(checkout, tmp_path)
    assert error.problem is Problem.LIFT_EDIT
    assert "nowhere" in error.detail


def test_a_symbol_the_core_newly_needs_is_named_by_the_linker(checkout: Path, scratch: Path) -> None:
    with (checkout / detect.TIMEKEEPING).open("a") as file:
        file.write("extern int brand_new(void);\nint uses_it(void);\n"
                   "int uses_it(void) { return brand_new(); }\n")
    error = refused(checkout, scratch)
    assert error.problem is Problem.LIFT_SYMBOL
    assert "undefined reference to `brand_new'" in error.detail
    assert "tk/linux/shim.c" in error.words()


def test_a_tree_with_other_names_than_we_reach_for_says_that_it_is_our_part(
    checkout: Path, scratch: Path
) -> None:
    replace(checkout / detect.TIMEKEEPING, "timekeeping_cycles_to_ns", "timekeeping_cycles_to_ps")
    error = refused(checkout, scratch)
    assert error.problem is Problem.LIFT_SEAM
    assert "timekeeping_cycles_to_ns" in error.detail


def test_a_folder_without_a_kernel_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, tmp_path / "build")
    assert error.problem is Problem.LIFT_TREE
    assert "has no kernel/time/timekeeping.c" in error.sentence


def test_a_word_that_means_nothing_is_refused(tmp_path: Path) -> None:
    assert refused("no/such/tree", tmp_path).sentence == 'there is no tree "no/such/tree"'


def test_a_revision_that_is_not_there_is_refused(checkout: Path, scratch: Path) -> None:
    assert "has no revision v9.99" in refused(f"{checkout}@v9.99", scratch).sentence


def test_a_path_that_kbuild_cannot_bear_is_refused(tmp_path: Path) -> None:
    tree = tmp_path / "my linux"
    for source in SOURCES:
        (tree / source).parent.mkdir(parents=True, exist_ok=True)
        (tree / source).touch()
    assert "a space" in refused(tree, tmp_path / "build").sentence


def test_an_hz_that_kernels_do_not_have_is_refused(tmp_path: Path) -> None:
    error = refused("7.3", tmp_path, Variant("um", 777, True))
    assert error.problem is Problem.USAGE
    assert "100, 250, 300, 1000" in error.sentence


def cli(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(ROOT / "tickbench"), "lift", *arguments], cwd=ROOT, text=True,
                          capture_output=True, timeout=100, env=plain_environment() | environment)


def test_a_missing_tool_is_named(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in (*kbuild.TOOLS, "sh", "git"):
        found = shutil.which(name)
        if found and name != "bison":
            (tools / name).symlink_to(found)
    done = cli("7.3", "--build", str(tmp_path / "build"), PATH=str(tools))
    assert done.returncode == 2
    assert done.stderr == ("tickbench: lifting a kernel needs bison: install it with "
                           "./setup.sh lift\n")


def test_a_release_out_of_reach_says_so_and_names_a_way_out(tmp_path: Path) -> None:
    if missing := [tool for tool in debian.TOOLS if not shutil.which(tool)]:
        pytest.skip(f"there is no {missing[0]}")
    # Nothing listens there.
    nowhere = "http://127.0.0.1:9/"
    done = cli("7.3", "--build", str(tmp_path / "build"), XDG_CACHE_HOME=str(tmp_path / "cache"),
               http_proxy=nowhere, https_proxy=nowhere)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("tickbench: Linux 7.3 cannot be had from Debian: ")
    assert "LINUX=PATH" in last


def test_an_unwritable_build_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "build").touch()
    error = refused("7.3", tmp_path / "build")
    assert error.problem is Problem.OUTPUT_FOLDER


def running_in(folder: Path) -> list[str]:
    """Command lines of processes that name a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            text = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in text:
            found.append(text)
    return found


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_lift_leaves_no_process_behind(
    checkout: Path, tmp_path: Path, number: int, status: int
) -> None:
    build = tmp_path / "build"
    child = subprocess.Popen([str(ROOT / "tickbench"), "lift", str(checkout), "--build", str(build)],
                             cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env=plain_environment())
    try:
        deadline = time.monotonic() + 60
        # Ours, make, and what make has started.
        while len(running_in(build)) < 3:
            assert time.monotonic() < deadline and child.poll() is None
            time.sleep(0.02)
        child.send_signal(number)
        _, words = child.communicate(timeout=20)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == status
    assert "Traceback" not in words
    deadline = time.monotonic() + 10
    while running_in(build):
        assert time.monotonic() < deadline, running_in(build)
        time.sleep(0.05)


# Patched trees


# The first and the second version of the series differ by a field.
REFERENCE_HEADER = """
struct tk_reference {
	enum clocksource_ids cs_id;
	u8 period_shift;
	u64 counter_value, period_frac_sec, time_sec, time_frac_sec FIELD;
};
int timekeeping_set_reference(const struct tk_reference *ref);
"""
# Steps to the line's own second, and so shows that it was called, and with what.
REFERENCE_FUNCTION = """
int timekeeping_set_reference(const struct tk_reference *ref)
{
	struct timespec64 ts = { .tv_sec = ref->time_sec };

	if (CONDITION ref->cs_id != tk_core.timekeeper.tkr_mono.clock->id || ref->cs_id == CSID_GENERIC)
		return -EINVAL;
	return do_settimeofday64(&ts);
}
"""


@pytest.mark.parametrize(("field", "condition"), [
    ("", ""), (", cycle_interval", "ref->cycle_interval != tk_core.timekeeper.cycle_interval ||")])
def test_a_tree_that_can_follow_a_line_does_so_by_itself(
    checkout: Path, scratch: Path, field: str, condition: str
) -> None:
    (checkout / detect.REFERENCE_HEADER).write_text(REFERENCE_HEADER.replace("FIELD", field))
    replace(checkout / detect.TIMEKEEPING, "#include <linux/timekeeper_internal.h>\n",
            "#include <linux/timekeeper_internal.h>\n#include <linux/timekeeping_reference.h>\n")
    with (checkout / detect.TIMEKEEPING).open("a") as file:
        file.write(REFERENCE_FUNCTION.replace("CONDITION", condition))
    done = lift.lift(str(checkout), UM, scratch)
    assert "REFERENCE" in done.stage.switches
    lines = simulate(done.folder, "scenario=lock", "duration=5", "rate_ppm=12.345678")
    # Taken, but its frequency was not followed: 12.345678 ppm too fast, as this function leaves it.
    assert any("the core takes the page's line" in line and line.startswith("ok") for line in lines)
    assert metric(lines, "drift_ns_per_s") == pytest.approx(-12345.678, rel=0.01)


# What a source says


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("\ttk->ntp_error -= (tk->xtime_interval + tk->xtime_remainder) << shift;", set()),
        ("\ttk->ntp_error -= tk->xtime_interval << shift; /* no xtime_remainder */", {"REMAINDER_V2"}),
        ("\t// xtime_remainder is gone\n\ttk->ntp_error -= tk->xtime_interval;", {"REMAINDER_V2"}),
        ("\ttk->ntp_error -= tk->xtime_interval;\n\ttk->cs_tick_adj = 0;", {"REMAINDER"}),
    ],
)
def test_the_remainder_is_told_by_code_and_not_by_comments(
    tmp_path: Path, body: str, expected: set[str]
) -> None:
    text = f"static u64 logarithmic_accumulation(struct timekeeper *tk,\n\t\tu32 shift)\n{{\n{body}\n}}\n"
    for source in SOURCES:
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / detect.TIMEKEEPING).write_text(text)
    (tmp_path / detect.NTP).write_text("static s64 time_offset;\n")
    assert {"REMAINDER", "REMAINDER_V2"} & set(detect.stage(tmp_path).switches) == expected


def test_of_two_definitions_the_one_without_the_option_counts() -> None:
    text = "#ifdef A\nint f(int a)\n{\n\treturn 1;\n}\n#else\nint f(int a)\n{\n\treturn 2;\n}\n#endif\n"
    assert detect.body(text, "f").strip() == "return 2;"
    assert detect.body(text, "g") == ""


def test_a_comment_in_a_string_is_no_comment() -> None:
    assert detect.without_comments('a("/*"); b(); /* c */ d("*/");').count("b()") == 1


@pytest.mark.parametrize(
    ("release", "version", "expected"),
    [("6.12", "6.12.107-1", True), ("6.1", "6.12.107-1", False), ("6.12.107", "6.12.107-1", True),
     ("6.12.10", "6.12.107-1", False), ("7.3", "7.3.4-1~bpo13+1", True)],
)
def test_a_release_is_a_whole_prefix_of_its_version(
    release: str, version: str, expected: bool
) -> None:
    assert debian.fits(release, version) is expected


def test_the_newest_version_is_neither_the_first_by_letters_nor_a_rebuild() -> None:
    shown = "\n\n".join(
        f"Package: linux-source-6.12\nVersion: {version}\nSHA256: 00"
        for version in ("6.12.94-1", "6.12.107-1~deb12u1", "6.12.107-1", "6.12.99-1"))
    assert max(debian.candidates(shown), key=lambda each: debian._order(each.version)).version == \
        "6.12.107-1"


def test_the_mirrors_are_the_machines_own() -> None:
    usual, security = debian.mirrors(
        "http://one.example/debian/ bookworm\nhttp://one.example/debian/ bookworm-updates\n"
        "http://two.example/debian-security/ bookworm-security\n")
    assert (usual, security) == ("http://one.example/debian/", "http://two.example/debian-security/")
    text = debian.sources(usual, security)
    assert "http://one.example/debian/ trixie-backports main\n" in text
    assert "http://two.example/debian-security/ trixie-security main\n" in text


def test_farm_links_sources_and_leaves_out_what_was_built(tmp_path: Path) -> None:
    tree, folder = tmp_path / "tree", tmp_path / "farm"
    sources = ("Makefile", "kernel/time/ntp.c", "scripts/basic/fixdep.c", "include/linux/a.h",
               "arch/x86/include/asm/a.h", "drivers/Kconfig")
    products = (".config", "kernel/time/ntp.o", "kernel/time/.ntp.o.cmd", "scripts/basic/fixdep",
                "scripts/basic/.fixdep.cmd", "include/generated/a.h", "include/config/auto.conf",
                "arch/x86/include/generated/a.h", "kernel/bounds.s")
    for name in sources + products:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    linkfarm.plant(tree, folder)
    assert all((folder / name).read_text() == name for name in sources)
    assert not [name for name in products if (folder / name).exists()]
    # A source that goes, goes from the farm too; one that comes, comes.
    (tree / "kernel/time/ntp.c").unlink()
    (tree / "kernel/time/new.c").write_text("new")
    linkfarm.plant(tree, folder)
    assert not os.path.lexists(folder / "kernel/time/ntp.c")
    assert (folder / "kernel/time/new.c").read_text() == "new"


# What it is for


def test_git_bisect_finds_the_commit_that_broke_the_core(checkout: Path, tmp_path: Path, built: Path) -> None:
    """Of six revisions the fourth stops telling e of what mult takes back, and the third does not compile."""
    source = checkout / detect.TIMEKEEPING
    whole = source.read_text()
    told = "tk->ntp_error += tk->ntp_tick << shift;"
    assert told in whole
    texts = [whole + "/* 1 */\n", whole + "/* 2 */\n", "#error half an edit\n" + whole,
             whole.replace(told, told + "\n\ttk->ntp_error += 1LL << (shift + 20);"),
             whole.replace(told, told + "\n\ttk->ntp_error += 1LL << (shift + 20);") + "/* 5 */\n"]
    for number, text in enumerate(texts, 1):
        source.write_text(text)
        git(checkout, "commit", "-q", "-a", "-m", f"number {number}")
    bad = git(checkout, "rev-parse", "HEAD~1")
    git(checkout, "bisect", "start", "HEAD", "v1")
    try:
        done = subprocess.run(
            ["git", "bisect", "run", str(ROOT / "run-qemu.sh"), "--bisect", "--accel", "tcg", "--build",
             str(built), "--output", str(tmp_path / "out"), "--core", "linux:.", "scenario=lock",
             "clock=virtual", "duration=100"],
            cwd=checkout, env=plain_environment(), capture_output=True, text=True, timeout=300)
        # The one before does not compile, so git names both that it may be.
        assert bad in done.stdout, done.stdout + done.stderr
        assert git(checkout, "rev-parse", "HEAD") != "" and "half an edit" in done.stdout + done.stderr
    finally:
        git(checkout, "bisect", "reset")
        # The checkout's name is another one next time: what was made of it is of no use then.
        shutil.rmtree(built / "lift" / trees.resolve(str(checkout), built / "lift").folder, ignore_errors=True)
