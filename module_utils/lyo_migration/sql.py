"""SQL text as statements: enough of PostgreSQL's lexical rules to read a migration safely.

https://www.postgresql.org/docs/current/sql-syntax-lexical.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<comment>--[^\n]*)
  | (?P<block>/\*)
  | (?P<string>[eE]'(?:\\.|''|[^'\\])*(?:'|\Z) | (?:[bBxXnN]|[uU]&)?'(?:''|[^'])*(?:'|\Z))
  | (?P<dollar>\$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))
  | (?P<quoted>"(?:""|[^"])*(?:"|\Z))
  | (?P<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)
  | (?P<number>\d[\d._]*)
  | (?P<space>\s+)
  | (?P<end>;)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_PART = re.compile(r"/\*|\*/")
_PLAIN_NAME = re.compile(r'"([a-z_][a-z0-9_$]*)"')


@dataclass(frozen=True)
class Token:
    """One token. ``kind`` is a group's name in the pattern above; a block comment is a comment."""

    kind: str
    text: str
    start: int


@dataclass(frozen=True)
class Statement:
    """One statement.

    :ivar text: as written, from its first word to its end, without the semicolon.
    :ivar start: offset of its first word.
    :ivar end: offset behind its semicolon.
    :ivar words: its tokens in one line, upper case, without comments; a string is ``?``.
    :ivar comments: the comments before it, in it, and behind it on its last line.
    :ivar in_transaction: whether it stands between BEGIN and COMMIT.
    """

    text: str
    start: int
    end: int
    words: str
    comments: tuple[str, ...] = ()
    in_transaction: bool = False


def tokens(sql: str) -> Iterator[Token]:
    """Yield the tokens of a text; nothing is ever an error, an open quote goes to the end."""
    position = 0
    while position < len(sql):
        match = _TOKEN.match(sql, position)
        assert match is not None  # `other` takes anything
        kind, end = str(match.lastgroup), match.end()
        if match.group("dollar") is not None:
            kind = "dollar"
        if kind == "block":
            kind, end = "comment", _block_end(sql, end)
        yield Token(kind, sql[position:end], position)
        position = end


def _block_end(sql: str, position: int) -> int:
    """Return the end of a block comment that began before ``position``; they nest."""
    depth = 1
    for part in _BLOCK_PART.finditer(sql, position):
        depth += 1 if part.group() == "/*" else -1
        if depth == 0:
            return part.end()
    return len(sql)


def without_comments(sql: str) -> str:
    """Return the text with spaces in place of comments, every other character where it was."""
    return "".join(
        re.sub(r"[^\n]", " ", token.text) if token.kind == "comment" else token.text
        for token in tokens(sql)
    )


def line_of(sql: str, offset: int) -> int:
    """Return the line of an offset, from 1."""
    return sql.count("\n", 0, offset) + 1


class _Open:
    """A statement that is being read."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.comments: list[str] = []
        self.start = -1
        self.stop = 0
        # Open bodies of functions in SQL: https://www.postgresql.org/docs/current/xfunc-sql.html
        self.depth = 0

    def take(self, token: Token) -> None:
        if self.start < 0:
            self.start = token.start
        self.stop = token.start + len(token.text)
        word = _word(token)
        if (word == "ATOMIC" and self.words[-1:] == ["BEGIN"]) or (self.depth and word == "CASE"):
            self.depth += 1
        elif self.depth and word == "END":
            self.depth -= 1
        self.words.append(word)


def _word(token: Token) -> str:
    if token.kind in ("string", "dollar"):
        return "?"
    if token.kind == "quoted":
        plain = _PLAIN_NAME.fullmatch(token.text)
        return plain.group(1).upper() if plain else token.text
    return token.text.upper() if token.kind == "word" else token.text


def statements(sql: str) -> list[Statement]:
    """Return the statements of a text, BEGIN and COMMIT included."""
    found: list[Statement] = []
    current, inside = _Open(), False
    last_end = -1  # end of the last statement while its line goes on

    def close(end: int) -> None:
        nonlocal inside, current, last_end
        if current.start >= 0:
            words = _joined(current.words)
            begins = words.startswith(("BEGIN", "START TRANSACTION"))
            ends = re.match(r"(COMMIT|END|ROLLBACK|ABORT)\b(?! TO\b)", words) is not None
            found.append(
                Statement(
                    sql[current.start : current.stop],
                    current.start,
                    end,
                    words,
                    tuple(current.comments),
                    inside and not begins and not ends,
                )
            )
            inside = (inside or begins) and not ends
            last_end = end
        current = _Open()

    for token in tokens(sql):
        if token.kind == "space":
            if "\n" in token.text:
                last_end = -1
        elif token.kind == "comment":
            if current.start < 0 and last_end >= 0:
                last = found[-1]
                found[-1] = Statement(
                    **{**vars(last), "comments": (*last.comments, token.text)},
                )
            else:
                current.comments.append(token.text)
        elif token.kind == "end" and not current.depth:
            close(token.start + 1)
        else:
            current.take(token)
    close(len(sql))
    return found


def _joined(words: list[str]) -> str:
    """Return the words in one line, names with their dots, parentheses and commas apart."""
    text = " ".join(words)
    return re.sub(r" \. ", ".", text)


_TABLE = re.compile(
    r"""^(?:
      ALTER\ (?:TABLE|MATERIALIZED\ VIEW|VIEW|INDEX|SEQUENCE)(?:\ IF\ EXISTS)?(?:\ ONLY)?
    | CREATE\ (?:UNIQUE\ )?INDEX\b.*?\ ON(?:\ ONLY)?
    | CREATE\ (?:CONSTRAINT\ |OR\ REPLACE\ )?TRIGGER\b.*?\ ON
    | CREATE\ (?:UNLOGGED\ |TEMP\ |TEMPORARY\ )?TABLE(?:\ IF\ NOT\ EXISTS)?
    | DROP\ TABLE(?:\ IF\ EXISTS)?
    | UPDATE(?:\ ONLY)?
    | DELETE\ FROM(?:\ ONLY)?
    | INSERT\ INTO
    | TRUNCATE(?:\ TABLE)?(?:\ ONLY)?
    | LOCK(?:\ TABLE)?(?:\ ONLY)?
    | CLUSTER | VACUUM\b(?:\ \([^)]*\)|\ FULL|\ ANALYZE|\ VERBOSE|\ FREEZE)* | ANALYZE
    | REINDEX(?:\ \([^)]*\))?\ (?:TABLE|INDEX)(?:\ CONCURRENTLY)?
    | REFRESH\ MATERIALIZED\ VIEW(?:\ CONCURRENTLY)?
    )\ (?P<table>(?:"(?:""|[^"])+"|[^\s.(;,]+)(?:\.(?:"(?:""|[^"])+"|[^\s.(;,]+))?)""",
    re.VERBOSE,
)
_WITH = re.compile(r"^WITH .*?\) (?=(?:UPDATE|DELETE FROM|INSERT INTO) )")


def table_of(words: str) -> str:
    """Return the table a statement is about as PostgreSQL keeps its name, empty for none.

    The schema ``public`` is left out.
    """
    match = _TABLE.match(_WITH.sub("", words))
    return named(match.group("table")) if match else ""


def named(words: str) -> str:
    """Return a name of :attr:`Statement.words` as PostgreSQL keeps it, without ``public``."""
    parts = re.findall(r'"(?:""|[^"])+"|[^".]+', words)
    kept = [p[1:-1].replace('""', '"') if p.startswith('"') else p.lower() for p in parts]
    return ".".join(kept[1:] if kept[:1] == ["public"] and len(kept) > 1 else kept)
