"""The lint of a plan: squawk and our own rules, what is allowed with a reason, the recipe of the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from . import rules, squawk
from .recipes import RECIPES, recipe
from .rules import CONTRACT, Finding
from .sql import Statement, line_of, statements, table_of

_ALLOW = re.compile(r"lyo:\s*allow\b(?P<rest>.*?)(?:\*/)?\s*$", re.DOTALL)
_SHOWN = 160


@dataclass(frozen=True)
class Migration:
    """One pending migration.

    :ivar kind: ``expand``, ``contract``, or whatever its file says.
    :ivar sql: its statements, with BEGIN and COMMIT where there are transactions.
    :ivar allow: reasons by rule that its file gives for the whole of it.
    """

    revision: str
    kind: str
    title: str
    sql: str
    allow: Mapping[str, str] = field(default_factory=dict)

    @property
    def statements(self) -> list[Statement]:
        """Its statements."""
        return statements(self.sql)


@dataclass(frozen=True)
class Result:
    """One finding with its place.

    :ivar statement: its text in one line, cut; empty for the migration as a whole.
    :ivar table: what it is about, empty where that is no table.
    :ivar reason: why it is allowed; empty where it is not.
    """

    revision: str
    rule: str
    message: str
    line: int
    statement: str
    table: str
    reason: str = ""

    def lines(self) -> list[str]:
        """Return what a person reads: what is wrong, where, and the recipe."""
        place = f"{self.revision}, line {self.line}" if self.line else self.revision
        shown = [f"{place}: {self.rule}: {self.message}"]
        if self.statement:
            shown.append(f"    {self.statement}")
        shown += [f"  safe: {step}" for step in recipe(self.rule).steps]
        return shown


Linter = Callable[[Sequence[str], str], list[squawk.Hit]]


def lint(
    migrations: Sequence[Migration], version: str, linter: Linter = squawk.run
) -> list[Result]:
    """Return every finding of the plan, allowed ones with their reason.

    :param version: PostgreSQL's, as ``18.0``.
    :raises SquawkError: squawk did not do its work.
    """
    hits = linter([migration.sql for migration in migrations], version)
    results: list[Result] = []
    new: frozenset[str] = frozenset()
    for number, migration in enumerate(migrations):
        parsed = migration.statements
        findings = rules.find(parsed, migration.kind, new)
        new |= rules.new_tables(parsed)
        known = {(f.rule, f.index) for f in findings}
        for hit in hits:
            if hit.text != number:
                continue
            index = _index(parsed, hit.offset)
            about = table_of(parsed[index].words) if index >= 0 else ""
            if hit.rule != "syntax-error" and about in new:
                continue
            if (hit.rule, index) not in known:
                known.add((hit.rule, index))
                findings.append(Finding(hit.rule, hit.message, index))
        results += _judged(migration, parsed, findings)
    return results


def _index(parsed: Sequence[Statement], offset: int) -> int:
    """Return the number of the statement at an offset, else the last one before it."""
    before = [index for index, statement in enumerate(parsed) if statement.start <= offset]
    return before[-1] if before else (0 if parsed else -1)


def _judged(
    migration: Migration, parsed: Sequence[Statement], findings: Sequence[Finding]
) -> list[Result]:
    results = []
    whole, bad = _checked(migration.allow.items(), "lyo_allow")
    problems = [Finding("bad-allow", text) for text in bad]
    by_statement = []
    for index, statement in enumerate(parsed):
        allowed, bad = _checked(allowances(statement), "the comment")
        by_statement.append(allowed)
        problems += [Finding("bad-allow", text, index) for text in bad]
    for finding in sorted([*problems, *findings], key=lambda f: f.index):
        if migration.kind == CONTRACT and recipe(finding.rule).contract:
            continue
        place = parsed[finding.index] if finding.index >= 0 else None
        allowed = by_statement[finding.index] if finding.index >= 0 else {}
        results.append(
            Result(
                migration.revision,
                finding.rule,
                finding.message,
                line_of(migration.sql, place.start) if place else 0,
                shortened(place.text) if place else "",
                table_of(place.words) if place else "",
                allowed.get(finding.rule) or whole.get(finding.rule, ""),
            )
        )
    return results


def allowances(statement: Statement) -> list[tuple[str, str]]:
    """Return rule and reason of each ``-- lyo: allow <rule>: <reason>`` beside a statement."""
    found = []
    for comment in statement.comments:
        match = _ALLOW.search(comment)
        if match:
            names, _, reason = match.group("rest").partition(":")
            found += [(name.strip(), " ".join(reason.split())) for name in names.split(",")]
    return found


def _checked(pairs: Iterable[tuple[str, str]], where: str) -> tuple[dict[str, str], list[str]]:
    """Return the reasons by rule, and what is wrong with the others."""
    good, bad = {}, []
    for rule, reason in pairs:
        if rule not in RECIPES or rule == "bad-allow":
            bad.append(f"{where} allows {rule!r}, which is no rule")
        elif not str(reason).strip():
            bad.append(f"{where} allows {rule} without a reason")
        else:
            good[str(rule)] = str(reason).strip()
    return good, bad


def shortened(text: str) -> str:
    """Return a statement in one line of at most 160 characters."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
