"""The rule of a composite alarm: what it names, and whether it holds.

    expression := term (OR term)*
    term       := factor (AND factor)*
    factor     := NOT factor | ( expression ) | TRUE | FALSE | ALARM(name) | OK(name) | INSUFFICIENT_DATA(name)

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

#: Whether the rule holds, given the state of each alarm by name.
Condition = Callable[[Mapping[str, str]], bool]

MOST_CHILDREN = 100
MOST_ELEMENTS = 500
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<function>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"(?P<quoted>[^"]+)"|(?P<bare>[^\s()"]+))\s*\)
      | (?P<word>AND|OR|NOT|TRUE|FALSE)(?![\w])
      | (?P<bracket>[()])
    )""",
    re.VERBOSE,
)


class InvalidRuleError(ValueError):
    """The text is not a rule; the message says why."""


class AlarmRule:
    """One parsed rule.

    Raises InvalidRuleError where AWS would refuse it.
    """

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0
        self._children: list[str] = []
        self._condition = self._expression()
        if self._next < len(self._tokens):
            raise InvalidRuleError(f"unexpected {self._tokens[self._next][1]!r}")
        elements = [kind for kind, _ in self._tokens if kind not in ("AND", "OR", "NOT")]
        if len(set(self._children)) > MOST_CHILDREN or len(elements) > MOST_ELEMENTS:
            raise InvalidRuleError(
                f"it has more than {MOST_CHILDREN} alarms or {MOST_ELEMENTS} elements"
            )

    @property
    def children(self) -> tuple[str, ...]:
        """Names of the alarms that it speaks of, each once."""
        return tuple(dict.fromkeys(self._children))

    def holds(self, states: Mapping[str, str]) -> bool:
        """Whether it is true; an alarm that `states` lacks is in no state."""
        return self._condition(states)

    def _take(self, *kinds: str) -> str | None:
        if self._next < len(self._tokens) and self._tokens[self._next][0] in kinds:
            self._next += 1
            return self._tokens[self._next - 1][1]
        return None

    def _expression(self) -> Condition:
        terms = [self._term()]
        while self._take("OR"):
            terms.append(self._term())
        return lambda states: any(term(states) for term in terms)

    def _term(self) -> Condition:
        factors = [self._factor()]
        while self._take("AND"):
            factors.append(self._factor())
        return lambda states: all(factor(states) for factor in factors)

    def _factor(self) -> Condition:
        if self._take("NOT"):
            negated = self._factor()
            return lambda states: not negated(states)
        if self._take("("):
            inner = self._expression()
            if not self._take(")"):
                raise InvalidRuleError("a bracket is not closed")
            return inner
        if word := self._take("TRUE", "FALSE"):
            return lambda _: word == "TRUE"
        for state in ("ALARM", "OK", "INSUFFICIENT_DATA"):
            if (name := self._take(state)) is not None:
                return self._is(name, state)
        found = self._tokens[self._next][1] if self._next < len(self._tokens) else "its end"
        raise InvalidRuleError(
            f"expected an alarm's state, TRUE, FALSE, NOT or a bracket at {found!r}"
        )

    def _is(self, name: str, state: str) -> Condition:
        # An alarm may be named by its ARN: arn:aws:cloudwatch:region:account:alarm:name
        name = name.split(":alarm:", 1)[-1] if name.startswith("arn:") else name
        self._children.append(name)
        return lambda states: states.get(name) == state


def _tokens(text: str) -> list[tuple[str, str]]:
    """(kind, text) of each token; a function's text is the alarm's name."""
    found: list[tuple[str, str]] = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise InvalidRuleError(f"cannot be read at {text[at:].strip()[:30]!r}")
        at = match.end()
        if match["function"]:
            found.append((match["function"], match["quoted"] or match["bare"]))
        else:
            word = match["word"] or match["bracket"]
            found.append((word, word))
    if not found:
        raise InvalidRuleError("it is empty")
    return found
