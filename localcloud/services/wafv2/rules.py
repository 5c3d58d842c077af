"""The rules of a web ACL: what AWS refuses, and how many capacity units they take. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localcloud.api import AwsError, NotReproducedError

# AWS's groups and their capacity, without those that cost extra (Bot Control, fraud, DDoS).
# https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html
MANAGED_GROUPS = {
    "AWSManagedRulesCommonRuleSet": 700,
    "AWSManagedRulesAdminProtectionRuleSet": 100,
    "AWSManagedRulesKnownBadInputsRuleSet": 200,
    "AWSManagedRulesSQLiRuleSet": 200,
    "AWSManagedRulesLinuxRuleSet": 200,
    "AWSManagedRulesUnixRuleSet": 100,
    "AWSManagedRulesWindowsRuleSet": 200,
    "AWSManagedRulesPHPRuleSet": 100,
    "AWSManagedRulesWordPressRuleSet": 100,
    "AWSManagedRulesAmazonIpReputationList": 25,
    "AWSManagedRulesAnonymousIpList": 50,
}
# The lists of addresses have no versions.
_WITHOUT_VERSIONS = frozenset(
    {"AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesAnonymousIpList"}
)
# https://docs.aws.amazon.com/waf/latest/developerguide/aws-waf-capacity-units.html
MOST_CAPACITY = 5000
_BYTE_MATCH = {"EXACTLY": 2, "STARTS_WITH": 2, "ENDS_WITH": 2, "CONTAINS": 10, "CONTAINS_WORD": 10}
_TRANSFORMATION = 10
_ALL_ARGUMENTS = 10
_SIZE = 1
_LABEL = 1
_RATE = 2
_WINDOWS = (60, 120, 300, 600)
_LOWEST_RATE, _HIGHEST_RATE = 10, 2_000_000_000
_ACTIONS = frozenset({"Block", "Allow", "Count", "Captcha", "Challenge"})

Statement = Mapping[str, Any]


def invalid(field: str, parameter: object, reason: str) -> AwsError:
    """AWS's error for a parameter that is wrong.

    https://docs.aws.amazon.com/waf/latest/APIReference/API_CreateWebACL.html
    """
    return AwsError(
        "WAFInvalidParameterException",
        f"Error reason: {reason}, field: {field}, parameter: {parameter}",
    )


def check(rules: Sequence[Mapping[str, Any]]) -> int:
    """The capacity units of a web ACL's rules.

    Raises AwsError (WAFInvalidParameterException, WAFLimitsExceededException) for what AWS
    refuses, NotReproducedError for statements that are not known here.
    """
    for member in ("Name", "Priority"):
        values = [rule[member] for rule in rules]
        if len(set(values)) < len(values):
            raise invalid("RULE", values, f"two rules have the same {member.lower()}")
    total = sum(_rule(rule) for rule in rules)
    if total > MOST_CAPACITY:
        raise AwsError(
            "WAFLimitsExceededException",
            f"The web ACL takes {total} capacity units; {MOST_CAPACITY} are the most",
        )
    return total


def _rule(rule: Mapping[str, Any]) -> int:
    kind, content = _one(rule["Statement"])
    group = kind == "ManagedRuleGroupStatement"
    if group == ("Action" in rule) or group != ("OverrideAction" in rule):
        wanted = "an OverrideAction" if group else "an Action"
        raise invalid("RULE", rule["Name"], f"a rule with {kind} has {wanted} and nothing else")
    if group:
        _choice("OVERRIDE_ACTION", rule["OverrideAction"], frozenset({"None", "Count"}))
        return _managed(content)
    _choice("ACTION", rule["Action"], _ACTIONS)
    return _rate(content) if kind == "RateBasedStatement" else _nested(kind, content)


def _choice(field: str, given: Mapping[str, Any], allowed: frozenset[str]) -> None:
    if len(given) != 1 or not set(given) <= allowed:
        raise invalid(field, sorted(given), f"it must be one of {', '.join(sorted(allowed))}")


def _one(statement: Statement) -> tuple[str, Mapping[str, Any]]:
    if len(statement) != 1:
        raise invalid("STATEMENT", sorted(statement), "exactly one statement is wanted")
    ((kind, content),) = statement.items()
    return kind, content


def _managed(content: Mapping[str, Any]) -> int:
    name = content["Name"]
    if content["VendorName"] != "AWS" or name not in MANAGED_GROUPS:
        raise invalid(
            "MANAGED_RULE_SET", f"{content['VendorName']}/{name}", "the rule group does not exist"
        )
    if "Version" in content and name in _WITHOUT_VERSIONS:
        raise invalid("MANAGED_RULE_SET", content["Version"], f"{name} has no versions")
    for override in content.get("RuleActionOverrides", []):
        _choice("RULE_ACTION_OVERRIDE", override["ActionToUse"], _ACTIONS)
    return MANAGED_GROUPS[name] + _scope(content)


def _rate(content: Mapping[str, Any]) -> int:
    limit, window = content["Limit"], content.get("EvaluationWindowSec", 300)
    if not _LOWEST_RATE <= limit <= _HIGHEST_RATE:
        raise invalid("RATE_BASED", limit, f"the limit is from {_LOWEST_RATE} to {_HIGHEST_RATE}")
    if window not in _WINDOWS:
        raise invalid("RATE_BASED", window, f"the evaluation window is one of {_WINDOWS}")
    key = content["AggregateKeyType"]
    if key not in ("IP", "CONSTANT"):
        raise NotReproducedError("wafv2", f"the aggregate key type {key}")
    if key == "CONSTANT" and "ScopeDownStatement" not in content:
        raise invalid("RATE_BASED", key, "counting everything needs a scope-down statement")
    return _RATE + _scope(content)


def _scope(content: Mapping[str, Any]) -> int:
    scope = content.get("ScopeDownStatement")
    return _nested(*_one(scope)) if scope else 0


def _nested(kind: str, content: Mapping[str, Any]) -> int:
    """Capacity of a statement that may stand inside another."""
    if kind in ("AndStatement", "OrStatement"):
        if len(content["Statements"]) < 2:
            raise invalid("STATEMENT", kind, "at least two statements are wanted")
        return sum(_nested(*_one(statement)) for statement in content["Statements"])
    if kind == "NotStatement":
        return _nested(*_one(content["Statement"]))
    if kind == "LabelMatchStatement":
        return _LABEL
    if kind == "ByteMatchStatement":
        return _BYTE_MATCH[content["PositionalConstraint"]] + _component(content)
    if kind == "SizeConstraintStatement":
        return _SIZE + _component(content)
    if kind in ("ManagedRuleGroupStatement", "RateBasedStatement"):
        raise invalid("STATEMENT", kind, "it cannot stand inside another statement")
    raise NotReproducedError("wafv2", kind)


def _component(content: Mapping[str, Any]) -> int:
    """Capacity of the part of a request that is looked at, and of what is done to it before.

    AWS's page counts each transformation; NONE is counted too, as the more careful reading.
    https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statements-match.html
    """
    field, _ = _one(content["FieldToMatch"])
    if field not in ("UriPath", "Method", "QueryString", "SingleHeader", "AllQueryArguments"):
        raise NotReproducedError("wafv2", f"matching of {field}")
    if not content["TextTransformations"]:
        raise invalid("TEXT_TRANSFORMATION", field, "at least one transformation is wanted")
    extra = _ALL_ARGUMENTS if field == "AllQueryArguments" else 0
    return extra + _TRANSFORMATION * len(content["TextTransformations"])
