"""What a planned web ACL does with a request, at worst: each managed group blocks all it inspects.

A pure evaluator of the statements that ours uses; anything else is an error, never a match.
https://docs.aws.amazon.com/waf/latest/developerguide/web-acl-rule-actions.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Block = Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """A request, and how many like it come from its address in a minute."""

    method: str
    path: str
    query: str = ""
    per_minute: float = 1


@dataclass
class Verdict:
    """What becomes of a request: `action` (allow or block) and `rule` that decided, None for the
    default; `inspected` by these managed groups, `counted` by these rules.
    """

    action: str = "allow"
    rule: str | None = None
    inspected: set[str] = field(default_factory=set)
    counted: list[str] = field(default_factory=list)


def evaluate(acl: Block, request: Request) -> Verdict:
    """Send a request through the rules of an `aws_wafv2_web_acl` as a plan shows it."""
    verdict, labels = Verdict(), set[str]()
    for rule in sorted(acl["rule"], key=lambda rule: int(rule["priority"])):
        kind, content = _one(rule["statement"])
        if kind == "managed_rule_group_statement":
            matches = _scope(content, request, labels)
            if matches:
                verdict.inspected.add(content["name"])
                labels.add(content["name"])
            action = "block" if _choice(rule["override_action"]) == "none" else "count"
        else:
            matches = _matches(kind, content, request, labels)
            action = _choice(rule["action"])
        if matches and action == "count":
            verdict.counted.append(rule["name"])
        elif matches:
            verdict.action, verdict.rule = action, rule["name"]
            return verdict
    verdict.action = _choice(acl["default_action"])
    return verdict


def _one(statement: Sequence[Block]) -> tuple[str, Block]:
    """The only statement of a block: its kind and content."""
    (filled,) = [(kind, content[0]) for kind, content in statement[0].items() if content]
    return filled


def _choice(blocks: Sequence[Block]) -> str:
    """The only nested block of an action."""
    (chosen,) = [name for name, content in blocks[0].items() if content]
    return str(chosen)


def _scope(content: Block, request: Request, labels: set[str]) -> bool:
    scope = content["scope_down_statement"]
    return not scope or _matches(*_one(scope), request, labels)


def _matches(kind: str, content: Block, request: Request, labels: set[str]) -> bool:
    if kind == "and_statement":
        return all(_matches(*_one([one]), request, labels) for one in content["statement"])
    if kind == "or_statement":
        return any(_matches(*_one([one]), request, labels) for one in content["statement"])
    if kind == "not_statement":
        return not _matches(*_one(content["statement"]), request, labels)
    if kind == "byte_match_statement" and content["positional_constraint"] == "EXACTLY":
        return _component(content, request) == str(content["search_string"])
    if kind == "size_constraint_statement" and content["comparison_operator"] == "EQ":
        return len(_component(content, request).encode()) == int(content["size"])
    if kind == "label_match_statement":
        # At worst every address is on every list.
        known = {"awswaf:managed:aws:amazon-ip-list:": "AWSManagedRulesAmazonIpReputationList"}
        key = str(content["key"])
        return any(key.startswith(prefix) and known[prefix] in labels for prefix in known)
    if kind == "rate_based_statement" and content["aggregate_key_type"] == "IP":
        counted = request.per_minute * float(content["evaluation_window_sec"]) / 60
        return _scope(content, request, labels) and counted > float(content["limit"])
    raise AssertionError(f"the evaluator does not know {kind} {dict(content)}")


def _component(content: Block, request: Request) -> str:
    if [one["type"] for one in content["text_transformation"]] != ["NONE"]:
        raise AssertionError("the evaluator does not know transformations")
    (name,) = [name for name, chosen in content["field_to_match"][0].items() if chosen]
    return {"uri_path": request.path, "method": request.method, "query_string": request.query}[name]


def as_called(block: Block, *, several: bool = False) -> dict[str, Any]:
    """A rule of a plan as the API takes it: without lists of one, named in capitals.

    several: whether the block's statements are many, as in AND and OR.
    """
    plural = {"text_transformation": "TextTransformations"}
    if several:
        plural["statement"] = "Statements"
    called: dict[str, Any] = {}
    for name, content in block.items():
        if content is None or content == []:
            continue
        capitals = "".join(part.capitalize() for part in name.split("_"))
        if isinstance(content, list) and isinstance(content[0], Mapping):
            many = name in ("and_statement", "or_statement")
            inner = [as_called(one, several=many) for one in content]
            called[plural.get(name, capitals)] = inner if name in plural else inner[0]
        else:
            called[capitals] = content
    return called
