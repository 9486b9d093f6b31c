"""Run every test of the project and count them: `make test` after a build.

Each step's output goes to build/test-logs/<step>.log; what a failed step printed last is shown here too.
The last line is 'N passed, N failed', and the exit code is 1 when anything failed.

    python scripts/test.py            every step
    python scripts/test.py lit lint   only these
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / "build" / "test-logs"
FUZZ_SECONDS = 5
SHOWN_LINES = 60


@dataclass
class Count:
    """Tests that passed and failed."""

    passed: int = 0
    failed: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed"


def run(step: str, *command: str | Path, **environment: str) -> bool:
    """Run `command` in the repository, append its output to the step's log; True when it exits with 0."""
    with open(LOGS / f"{step}.log", "a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(map(str, command))}\n")
        log.flush()
        done = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        log.write(f"[exit code {done.returncode}]\n")
    return done.returncode == 0


def fresh(name: str) -> Path:
    """An empty folder for the reports of one step."""
    folder = ROOT / "build" / "test-reports" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def junit(reports: Path) -> Count:
    """What the JUnit-style files in the folder say. A skipped test counts as neither."""
    count = Count()
    for file in reports.glob("*.xml"):
        try:
            cases = list(ElementTree.parse(file).iter("testcase"))
        except ElementTree.ParseError:  # the program died before it wrote its report
            count.failed += 1
            continue
        for case in cases:
            if case.find("failure") is not None or case.find("error") is not None:
                count.failed += 1
            elif case.find("skipped") is None and case.get("status") not in ("notrun", "disabled"):
                count.passed += 1
    return count


def honest(count: Count, exited_with_0: bool) -> Count:
    """A command that failed without a failed test of its own (a crash, say) counts as one failure."""
    if not exited_with_0 and count.failed == 0:
        count.failed = 1
    return count


def googletests(step: str, build: str) -> Count:
    """The GoogleTest cases of all test programs below a build folder, run by ctest."""
    reports = fresh(step)
    ok = run(
        step,
        *("ctest", "--test-dir", build, "-j2", "--output-on-failure", "--no-tests=error"),
        GTEST_OUTPUT=f"xml:{reports}/",
    )
    return honest(junit(reports), ok)


def cpp() -> Count:
    return googletests("cpp", "build")


def lit() -> Count:
    """Passes and stages of the compiler as text, checked by FileCheck."""
    reports = fresh("lit")
    ok = run("lit", "lit", "-q", "-j2", "--xunit-xml-output", reports / "lit.xml", "tetrarch")
    return honest(junit(reports), ok)


def python() -> Count:
    """Whole paths in the user's terms, a file of them at a time on each core."""
    reports = fresh("python")
    workers = ("-n2", "--dist", "loadfile")
    ok = run("python", sys.executable, "-m", "pytest", "-q", *workers, "--junitxml", reports / "pytest.xml")
    return honest(junit(reports), ok)


def light() -> Count:
    """The light half builds and passes its tests without LLVM."""
    if not run("light", "scripts/build.sh", "light"):
        return Count(failed=1)
    rules = (ROOT / "build-light" / "build.ninja").read_text(encoding="utf-8")
    needs_llvm = "libMLIR" in rules or "libLLVM" in rules or "llvm-22/include" in rules
    built = Count(failed=1) if needs_llvm else Count(passed=1)
    return built + googletests("light", "build-light")


def fuzz() -> Count:
    """Every fuzz target for a few seconds, under address and undefined-behaviour sanitizers."""
    if not run("fuzz", "scripts/build.sh", "asan", "fuzzers"):
        return Count(failed=1)
    reports = fresh("fuzz")
    ok = run(
        "fuzz",
        sys.executable,
        "scripts/fuzz.py",
        "--seconds",
        str(FUZZ_SECONDS),
        "--junit",
        reports / "fuzz.xml",
    )
    return honest(junit(reports), ok)


def lint() -> Count:
    """Format and style; one count a checker."""
    reports = fresh("lint")
    ok = run("lint", sys.executable, "scripts/lint.py", "--junit", reports / "lint.xml")
    return honest(junit(reports), ok)


# Longest first: two run at a time, and most of each uses one core.
STEPS: dict[str, Callable[[], Count]] = {
    step.__name__: step for step in (python, fuzz, light, cpp, lit, lint)
}
AT_A_TIME = 2


def show_log_of(step: str) -> None:
    lines = (LOGS / f"{step}.log").read_text(encoding="utf-8", errors="replace").splitlines()
    print(f"----- the last lines of {(LOGS / f'{step}.log').relative_to(ROOT)}")
    print("\n".join(lines[-SHOWN_LINES:]))
    print("-----")


def timed(name: str) -> tuple[str, Count, float]:
    """Runs a step; its name, what it counted, and the seconds that it took."""
    start = time.monotonic()
    count = STEPS[name]()
    return name, count, time.monotonic() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("steps", nargs="*", default=list(STEPS), help=f"of {', '.join(STEPS)} (all)")
    chosen = parser.parse_args().steps
    if unknown := set(chosen) - set(STEPS):
        parser.error(f"no step {', '.join(sorted(unknown))}; there are {', '.join(STEPS)}")
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    total = Count()
    with ThreadPoolExecutor(AT_A_TIME) as workers:
        running = [workers.submit(timed, name) for name in chosen]
        for number, done in enumerate(as_completed(running), 1):
            name, count, seconds = done.result()
            print(f"[{number}/{len(chosen)}] {name:<7} {count} in {seconds:.0f} s", flush=True)
            if count.failed:
                show_log_of(name)
            total += count
    print(total)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
