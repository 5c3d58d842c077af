"""Queries as others may see them: without the values in them."""

from __future__ import annotations

import re

# What PostgreSQL takes for a literal, one that pg_stat_activity has cut off included.
# https://www.postgresql.org/docs/current/sql-syntax-lexical.html
_LITERAL = re.compile(
    r"""
    --[^\n]* | /\*.*?(?:\*/|\Z)
  | [eE]'(?:\\.|''|[^'\\])*(?:'|\\?\Z) | (?:[uU]&|[bBxXnN])?'(?:''|[^'])*(?:'|\Z)
  | \$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z)
  | (?P<name>"(?:""|[^"])*(?:"|\Z) | [A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]* | \$\d+)
  | \d[\w.]*
    """,
    re.VERBOSE | re.DOTALL,
)
LENGTH = 200


def masked(query: str | None) -> str:
    """Return a query in one line of at most 200 characters, with `?` for each literal."""

    def shown(match: re.Match[str]) -> str:
        if match.group("name"):
            return match.group()
        return " " if match.group().startswith(("--", "/*")) else "?"

    line = " ".join(_LITERAL.sub(shown, query or "").split())
    return line if len(line) <= LENGTH else f"{line[: LENGTH - 1]}…"
