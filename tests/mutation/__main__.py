"""How well the decision code is tested: mutation tests (`make mutation`), branches (`make coverage`).

mutmut changes one expression at a time and runs the unit tests that reach it; a change that no test
notices is a survivor. It names mutants by the path of their file, and ours are imported as
`ansible.module_utils.…`, so the code is copied to a folder where both are the same. Survivors that
change nothing are listed, each with its reason, in equivalent.toml; any other one fails the run, and so
does an entry of that list that no longer survives.

mutmut does not change constants and properties; the tables of the unit tests stand for those.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ROOT / "module_utils"
TESTS = ROOT / "tests" / "unit"
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
# What decides.
DECISIONS = (
    "lyo_backup/decide.py",
    "lyo_backup/ids.py",
    "lyo_backup/retention.py",
    "lyo_lock/decide.py",
    "lyo_migration/contraction.py",
    "lyo_release/decide_*.py",
    "lyo_release/schema.py",
    "lyo_release/stages.py",
    "lyo_release/verdict.py",
    "lyo_restore/decide.py",
    "lyo_restore/record.py",
)
# The tests that decide about them, with what they share.
TEST_FILES = (
    "__init__.py",
    "conftest.py",
    "fakes.py",
    "restores.py",
    "world.py",
    "test_backup_catalogue.py",
    "test_backup_decide.py",
    "test_backup_retention.py",
    "test_decide_deploy.py",
    "test_decide_plan.py",
    "test_decide_rollback.py",
    "test_decision_words.py",
    "test_lock.py",
    "test_migration_targets.py",
    "test_restore_decisions.py",
    "test_restore_record.py",
    "test_retention.py",
    "test_schema.py",
    "test_stages.py",
    "test_verdict.py",
)
PLACE = Path("src", "ansible", "module_utils")
KILLED, SURVIVED, NO_TEST = (1, 3), (0,), (5, 33)


def stage(folder: Path) -> None:
    """Copy code and tests so that the paths say what the imports say."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(CODE, folder / PLACE, ignore=ignored)
    modules = folder / "tests" / "unit" / "modules"
    modules.mkdir(parents=True)
    for name in TEST_FILES:
        shutil.copy2(TESTS / "modules" / name, modules)
    shutil.copy2(ROOT / "tests" / "__init__.py", folder / "tests")
    shutil.copy2(TESTS / "__init__.py", modules.parent)
    conftest = (TESTS / "conftest.py").read_text()
    ours = 'ROOT / "module_utils"'
    assert ours in conftest, "tests/unit/conftest.py has changed: change this too"
    there = " / ".join(["ROOT", *(f'"{part}"' for part in PLACE.parts)])
    (modules.parent / "conftest.py").write_text(conftest.replace(ours, there))
    (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    only = "\n".join(f"    {PLACE.as_posix()}/{pattern}" for pattern in DECISIONS)
    (folder / "setup.cfg").write_text(
        f"[mutmut]\nsource_paths=src\nonly_mutate=\n{only}\n"
        "pytest_add_cli_args_test_selection=tests/unit/modules\n"
    )


def run(folder: Path, children: int, only: str) -> None:
    """Run mutmut, on all mutants or those that ``only`` matches; its progress goes to a file, which is shown when it fails."""
    log = folder / "mutmut.log"
    with log.open("w") as file:
        done = subprocess.run(
            [sys.executable, "-m", "mutmut", "run", "--max-children", str(children)]
            + ([only] if only else []),
            cwd=folder,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        )
    if done.returncode != 0:
        sys.exit(f"mutation: mutmut failed:\n{log.read_text(errors='replace')[-3000:]}")


def outcomes(folder: Path) -> dict[str, int | None]:
    """Return each mutant's exit code, as mutmut has kept it beside the mutated files."""
    found: dict[str, int | None] = {}
    for file in sorted((folder / "mutants").rglob("*.meta")):
        found |= json.loads(file.read_text())["exit_code_by_key"]
    return found


def change(folder: Path, mutant: str) -> tuple[str, str]:
    """Return the line that a mutant changes, before and after."""
    shown = subprocess.run(
        [sys.executable, "-m", "mutmut", "show", mutant],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    lines = [line for line in shown if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    removed = " ".join(line[1:].strip() for line in lines if line.startswith("-"))
    added = " ".join(line[1:].strip() for line in lines if line.startswith("+"))
    return removed, added


def function(mutant: str) -> str:
    """`ansible.module_utils.lyo_release.verdict.x_bakes__mutmut_3` → `verdict.bakes`."""
    module, _, name = mutant.partition("__mutmut_")[0].rpartition(".")
    return f"{module.rpartition('.')[2]}.{name.removeprefix('x_')}"


def coverage() -> int:
    """Run the tests and fail unless they take every branch of the decision code; return the code."""
    with tempfile.TemporaryDirectory(prefix="lyo-coverage-") as folder:
        command = [sys.executable, "-m", "coverage"]
        environment = {**os.environ, "COVERAGE_FILE": str(Path(folder, "data"))}
        only = ",".join(f"module_utils/{pattern}" for pattern in DECISIONS)
        tests = [str(TESTS / "modules" / f) for f in TEST_FILES if f.startswith("test_")]
        for arguments in (
            ["run", "--branch", f"--include={only}", "-m", "pytest", "-q", *tests],
            ["report", "--show-missing", "--fail-under=100"],
        ):
            done = subprocess.run([*command, *arguments], cwd=ROOT, env=environment, check=False)
            if done.returncode != 0:
                print("coverage: a branch of the decision code is not tested", file=sys.stderr)
                return done.returncode
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="mutants at a time")
    parser.add_argument("--only", default="", help="mutants by name, as '*verdict.*'")
    parser.add_argument("--coverage", action="store_true", help="measure branches, mutate nothing")
    arguments = parser.parse_args()
    if arguments.coverage:
        sys.exit(coverage())
    listed = {
        (entry["function"], entry["before"], entry["after"]): entry["reason"]
        for entry in tomllib.loads(EQUIVALENT.read_text())["mutant"]
    }
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lyo-mutation-") as name:
        folder = Path(name)
        stage(folder)
        run(folder, arguments.jobs, arguments.only)
        found = outcomes(folder)
        if arguments.only:
            found = {m: code for m, code in found.items() if fnmatch.fnmatch(m, arguments.only)}
            here = {function(mutant) for mutant in found}
            listed = {entry: why for entry, why in listed.items() if entry[0] in here}
        if not found:
            sys.exit("mutation: no mutant was made: the paths in tests/mutation are wrong")
        untested = [m for m, code in found.items() if code in NO_TEST or code is None]
        survivors = {
            (function(m), *change(folder, m)) for m, code in found.items() if code in SURVIVED
        }
    bad = [f"{where}: no test reaches it" for where in sorted(map(function, untested))]
    for where, before, after in sorted(survivors - listed.keys()):
        bad.append(f"{where}: nobody notices\n    - {before}\n    + {after}")
    for where, before, after in sorted(listed.keys() - survivors):
        bad.append(
            f"{where}: in equivalent.toml, but not among the survivors\n    - {before}\n    + {after}"
        )
    took = time.monotonic() - started
    print(
        f"mutation: {len(found)} mutants, {len(found) - len(untested) - len(survivors)} killed, "
        f"{len(survivors)} survived, {len(listed)} of them equivalent, in {took:.0f} s"
    )
    if bad:
        sys.exit("\n".join(["mutation: failed", *bad]))


if __name__ == "__main__":
    main()
