"""Run every fuzz target of build-asan/fuzz for a while; see docs/fuzzing.md.

Inputs that break a target are kept in build-asan/findings/, inputs that reach new code in build-asan/corpus/.

    python scripts/fuzz.py --seconds 3600 --only artifact_fuzz
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from xml.sax.saxutils import quoteattr

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build-asan"
SEEDS = ROOT / "test" / "fuzz"  # test/fuzz/<target>/ holds the inputs that a target starts from
INPUT_TIMEOUT_SECONDS = 20
MEMORY_LIMIT_MB = 4096


def fuzz(program: Path, seconds: int) -> bool:
    """Fuzz one target; True when nothing broke."""
    corpus, findings = BUILD / "corpus" / program.name, BUILD / "findings" / program.name
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    seeds = [SEEDS / program.name] if (SEEDS / program.name).is_dir() else []
    command = [
        program,
        f"-max_total_time={seconds}",
        f"-timeout={INPUT_TIMEOUT_SECONDS}",
        f"-rss_limit_mb={MEMORY_LIMIT_MB}",
        f"-artifact_prefix={findings}/",
        "-print_final_stats=1",
        corpus,
        *seeds,
    ]
    # LLVM keeps what it allocates at start-up until the process ends.
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1"}
    return subprocess.run([str(part) for part in command], env=environment).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="time for each target (60)")
    parser.add_argument("--only", help="the name of one target")
    parser.add_argument("--junit", type=Path, help="write the results to this file in JUnit's format")
    arguments = parser.parse_args()
    programs = [p for p in sorted((BUILD / "fuzz").glob("*")) if os.access(p, os.X_OK) and p.is_file()]
    programs = [p for p in programs if arguments.only in (None, p.name)]
    if not programs:
        print(
            f"no fuzz target in {BUILD / 'fuzz'}: build them with scripts/build.sh asan fuzzers",
            file=sys.stderr,
        )
        return 2
    results = {program.name: fuzz(program, arguments.seconds) for program in programs}
    if arguments.junit:
        cases = [
            f"<testcase name={quoteattr(name)}>{'' if ok else '<failure/>'}</testcase>"
            for name, ok in results.items()
        ]
        arguments.junit.write_text(f"<testsuite>{''.join(cases)}</testsuite>\n", encoding="utf-8")
    for name, ok in results.items():
        print(f"{name}: {'nothing broke' if ok else f'broke, see {BUILD}/findings/{name}'}")
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
