"""CloudWatch metric math, as far as alarms use it: series of data points by their period's number.

Arithmetic between two series keeps the periods that both have; a number stands for every period.
Comparisons give 1 or 0. A division by zero leaves no data point.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import cast

Series = dict[int, float]
Value = Series | float

_ARITHMETIC: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_COMPARISON: dict[type, Callable[[float, float], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
FUNCTIONS = ("ABS", "AVG", "FILL", "IF", "MAX", "MIN", "SUM")


class UnsupportedError(ValueError):
    """The expression uses something that is not reproduced here."""


class Expression:
    """One parsed expression.

    :param text: as AWS writes it, such as ``IF(requests > 20, 100 * errors / requests, 0)``.
    :raises UnsupportedError: naming what is not reproduced.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._tree = ast.parse(_python(text), mode="eval").body
        except SyntaxError:
            raise UnsupportedError(f"the expression {text!r} cannot be read here") from None
        self._check(self._tree)

    @property
    def names(self) -> set[str]:
        """Ids of other queries that it uses."""
        called = {n.func for n in ast.walk(self._tree) if isinstance(n, ast.Call)}
        words = {"REPEAT", "LINEAR"}
        return {
            node.id
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Name) and node not in called and node.id not in words
        }

    def evaluate(self, known: Mapping[str, Value], periods: Sequence[int]) -> Value:
        """Return the result over ``periods``, given the queries it uses.

        :raises KeyError: a query is not known.
        """
        return _Evaluation(known, periods).of(self._tree)

    def _check(self, node: ast.AST) -> None:
        if isinstance(node, ast.Call):
            if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
                raise UnsupportedError(
                    f"{ast.unparse(node)} in {self.text!r} is not reproduced here"
                )
            for argument in node.args:
                self._check(argument)
        elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            self._check(node.left)
            self._check(node.right)
        elif (
            isinstance(node, ast.Compare)
            and type(node.ops[0]) in _COMPARISON
            and len(node.ops) == 1
        ):
            self._check(node.left)
            self._check(node.comparators[0])
        elif isinstance(node, ast.BoolOp):
            for operand in node.values:
                self._check(operand)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            self._check(node.operand)
        elif isinstance(node, ast.List):
            for element in node.elts:
                self._check(element)
        elif not (
            isinstance(node, ast.Name)
            or (isinstance(node, ast.Constant) and isinstance(node.value, int | float))
        ):
            raise UnsupportedError(f"{ast.unparse(node)} in {self.text!r} is not reproduced here")


def _python(text: str) -> str:
    """The same in Python's words, whose syntax metric math otherwise shares."""
    for pattern, word in ((r"\bAND\b|&&", " and "), (r"\bOR\b|\|\|", " or ")):
        text = re.sub(pattern, word, text)
    return " ".join(text.split())


class _Evaluation:
    def __init__(self, known: Mapping[str, Value], periods: Sequence[int]) -> None:
        self._known, self._periods = known, list(periods)

    def of(self, node: ast.expr) -> Value:
        """The value of a node, which :meth:`Expression._check` has let through."""
        if isinstance(node, ast.Constant):
            return float(cast("float", node.value))
        if isinstance(node, ast.Name):
            return self._known[node.id]
        if isinstance(node, ast.UnaryOp):
            return self._both(operator.mul, -1.0, self.of(node.operand))
        if isinstance(node, ast.BinOp):
            return self._both(_ARITHMETIC[type(node.op)], self.of(node.left), self.of(node.right))
        if isinstance(node, ast.Compare):
            compare = _COMPARISON[type(node.ops[0])]
            return self._both(
                lambda a, b: float(compare(a, b)), self.of(node.left), self.of(node.comparators[0])
            )
        if isinstance(node, ast.BoolOp):
            both = isinstance(node.op, ast.And)
            return reduce(
                lambda a, b: self._both(
                    lambda x, y: float(bool(x and y) if both else bool(x or y)), a, b
                ),
                [self.of(operand) for operand in node.values],
            )
        call = cast("ast.Call", node)
        function: Callable[[list[ast.expr]], Value] = getattr(
            self, f"_{cast('ast.Name', call.func).id.lower()}"
        )
        return function(call.args)

    def _both(self, do: Callable[[float, float], float], left: Value, right: Value) -> Value:
        if isinstance(left, float) and isinstance(right, float):
            return do(left, right) if not (do is operator.truediv and right == 0) else {}
        found: Series = {}
        for period in self._periods:
            a, b = at(left, period), at(right, period)
            if a is None or b is None or (do is operator.truediv and b == 0):
                continue
            found[period] = do(a, b)
        return found

    def _if(self, arguments: list[ast.expr]) -> Value:
        condition, then, otherwise = (self.of(argument) for argument in arguments)
        found: Series = {}
        for period in self._periods:
            decided = at(condition, period)
            value = None if decided is None else at(then if decided else otherwise, period)
            if value is not None:
                found[period] = value
        return found

    def _fill(self, arguments: list[ast.expr]) -> Value:
        series, filler = self.of(arguments[0]), arguments[1]
        if isinstance(series, float):
            return series
        if isinstance(filler, ast.Name) and filler.id == "REPEAT":
            return self._repeated(series)
        value = self.of(filler)
        filled = {period: at(series, period) for period in self._periods}
        for period, present in filled.items():
            if present is None:
                filled[period] = at(value, period)
        return {period: value for period, value in filled.items() if value is not None}

    def _repeated(self, series: Series) -> Series:
        found: Series = {}
        last: float | None = None
        for period in self._periods:
            last = series.get(period, last)
            if last is not None:
                found[period] = last
        return found

    def _abs(self, arguments: list[ast.expr]) -> Value:
        return self._each([arguments[0]], lambda values: abs(values[0]))

    def _sum(self, arguments: list[ast.expr]) -> Value:
        return self._each(arguments, sum)

    def _avg(self, arguments: list[ast.expr]) -> Value:
        return self._each(arguments, lambda values: sum(values) / len(values))

    def _max(self, arguments: list[ast.expr]) -> Value:
        return self._each(arguments, max)

    def _min(self, arguments: list[ast.expr]) -> Value:
        return self._each(arguments, min)

    def _each(self, arguments: list[ast.expr], do: Callable[[list[float]], float]) -> Value:
        """A series of what ``do`` makes of all that have a data point in a period."""
        first = arguments[0]
        values = [
            self.of(node) for node in (first.elts if isinstance(first, ast.List) else [first])
        ]
        found: Series = {}
        for period in self._periods:
            present = [value for value in (at(v, period) for v in values) if value is not None]
            if present:
                found[period] = do(present)
        return found


def at(value: Value, period: int) -> float | None:
    """The data point of a period; a number has the same in each."""
    return value if isinstance(value, float) else value.get(period)
