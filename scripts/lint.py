"""Format and style of the whole tree; `make lint` and the pre-commit hooks run it.

python scripts/lint.py                 every checker
python scripts/lint.py --fix           rewrite what a formatter can rewrite
python scripts/lint.py --only ruff     one checker (see CHECKERS)
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIGHT_HALF = ("tetrarch/base", "tetrarch/abi", "tetrarch/plan", "tetrarch/run", "tetrarch/devices")
TIDY = ROOT / "build" / "lint"
MAX_LINES = 700


def tracked(*patterns: str) -> list[str]:
    """Files that git knows or would add, by pattern, relative to the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")
    return sorted({name for name in listed if name and (ROOT / name).is_file()})


def succeeds(*command: str) -> bool:
    return subprocess.run(command, cwd=ROOT).returncode == 0


def clang_format(fix: bool) -> bool:
    """C++ is laid out by .clang-format."""
    mode = ["-i"] if fix else ["--dry-run", "-Werror"]
    files = tracked("*.h", "*.cpp")
    return not files or succeeds("clang-format-22", *mode, *files)


def ruff(fix: bool) -> bool:
    """Python is laid out and checked by the settings in pyproject.toml."""
    python = [sys.executable, "-m", "ruff"]
    laid_out = succeeds(*python, "format", "-q", *([] if fix else ["--check", "--diff"]), ".")
    return succeeds(*python, "check", "-q", *(["--fix"] if fix else []), ".") and laid_out


def clang_tidy(fix: bool) -> bool:
    """The code of the light half by .clang-tidy (with MLIR headers a file takes a minute)."""
    database = ROOT / "build" / "compile_commands.json"
    if not database.exists():
        print("clang-tidy: no build/compile_commands.json; run 'make build' first", file=sys.stderr)
        return False
    built = write_tidy_database(database)

    def is_built(name: str) -> bool:
        return str(ROOT / name) in built and not name.endswith("_test.cpp")

    sources = [name for folder in LIGHT_HALF for name in tracked(f"{folder}/*.cpp") if is_built(name)]
    with ThreadPoolExecutor(2) as workers:
        return all(list(workers.map(tidy_is_clean, sources)))


def write_tidy_database(database: Path) -> set[str]:
    """One command a file, where several targets compile it, and no precompiled header, all of which clang-tidy would
    look at; returns the files."""
    commands = {command["file"]: command for command in json.loads(database.read_text(encoding="utf-8"))}
    for command in commands.values():
        command["command"] = re.sub(r" -include-pch \S+", "", command["command"])
    TIDY.mkdir(parents=True, exist_ok=True)
    (TIDY / database.name).write_text(json.dumps(list(commands.values())), encoding="utf-8")
    return set(commands)


def tidy_is_clean(source: str) -> bool:
    """clang-tidy on one file; nothing to do when it was clean and no header or setting has changed since."""
    headers = [name for folder in LIGHT_HALF for name in tracked(f"{folder}/*.h", f"{folder}/*.def")]
    digest = hashlib.sha256()
    for name in (source, ".clang-tidy", *headers):
        digest.update((ROOT / name).read_bytes())
    stamp = TIDY / f"{source.replace('/', '.')}-{digest.hexdigest()[:16]}"
    if not stamp.exists():
        if not succeeds("clang-tidy-22", "-p", str(TIDY), "--quiet", "--warnings-as-errors=*", source):
            return False
        stamp.touch()
    return True


def file_lists(fix: bool) -> bool:
    """Each source below tetrarch/ is named in a CMakeLists.txt, so that no test is forgotten."""
    named, suites = set(), set()
    for name in tracked("tetrarch/**CMakeLists.txt"):
        file = ROOT / name
        text = file.read_text(encoding="utf-8")
        named |= {(file.parent / source).resolve() for source in re.findall(r"[\w./-]+\.cpp", text)}
        suites |= {f"{suite}_conformance.cpp" for suite in re.findall(r"tetrarch_conformance\((\w+)", text)}
    missing = [n for n in tracked("tetrarch/*.cpp") if ROOT / n not in named and Path(n).name not in suites]
    for name in missing:
        print(f"{name}: no CMakeLists.txt names it, so nothing builds it", file=sys.stderr)
    return not missing


def file_sizes(fix: bool) -> bool:
    """No source file is longer than a person reads in one go."""
    long = [n for n in tracked("*.cpp", "*.h", "*.py") if (ROOT / n).read_bytes().count(b"\n") > MAX_LINES]
    for name in long:
        print(f"{name}: more than {MAX_LINES} lines; split it by idea", file=sys.stderr)
    return not long


def pre_commit(fix: bool) -> bool:
    """The hooks that a developer installs run, and find nothing."""
    home = {**os.environ, "PRE_COMMIT_HOME": str(ROOT / "build" / "pre-commit")}
    command = [sys.executable, "-m", "pre_commit", "run", "--all-files", "--color=never"]
    return subprocess.run(command, cwd=ROOT, env=home).returncode == 0


CHECKERS: dict[str, Callable[[bool], bool]] = {
    "clang-format": clang_format,
    "ruff": ruff,
    "file-lists": file_lists,
    "file-sizes": file_sizes,
    "pre-commit": pre_commit,
    "clang-tidy": clang_tidy,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fix", action="store_true", help="rewrite files instead of reporting them")
    parser.add_argument("--only", choices=list(CHECKERS), help="one checker")
    parser.add_argument("--junit", type=Path, help="write the results to this file in JUnit's format")
    arguments = parser.parse_args()
    chosen = [arguments.only] if arguments.only else list(CHECKERS)
    results = {name: CHECKERS[name](arguments.fix) for name in chosen}
    for name, ok in results.items():
        print(f"{name}: {'ok' if ok else 'FAILED'}")
    if arguments.junit:
        cases = [f'<testcase name="{n}">{"" if ok else "<failure/>"}</testcase>' for n, ok in results.items()]
        arguments.junit.write_text(f"<testsuite>{''.join(cases)}</testsuite>\n", encoding="utf-8")
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
