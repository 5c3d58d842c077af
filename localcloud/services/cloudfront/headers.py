"""Response headers policies, applied. Pure.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/understanding-response-headers-policies.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from localcloud.api import NotReproducedError


def check(policy: dict[str, Any]) -> None:
    """Refuse the members that are not applied. Raises NotReproducedError."""
    if "CorsConfig" in policy:
        raise NotReproducedError("cloudfront", "CorsConfig of response headers policies")
    if policy.get("ServerTimingHeadersConfig", {}).get("Enabled"):
        raise NotReproducedError("cloudfront", "Server-Timing headers")


def additions(policy: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """(name, value, whether it replaces the origin's) of each header that a policy adds."""
    security = policy.get("SecurityHeadersConfig", {})
    if "XSSProtection" in security:
        yield (
            "X-XSS-Protection",
            _xss(security["XSSProtection"]),
            _override(security, "XSSProtection"),
        )
    if "FrameOptions" in security:
        frame = security["FrameOptions"]["FrameOption"]
        yield "X-Frame-Options", frame, _override(security, "FrameOptions")
    if "ReferrerPolicy" in security:
        referrer = security["ReferrerPolicy"]["ReferrerPolicy"]
        yield "Referrer-Policy", referrer, _override(security, "ReferrerPolicy")
    if "ContentSecurityPolicy" in security:
        content = security["ContentSecurityPolicy"]["ContentSecurityPolicy"]
        yield "Content-Security-Policy", content, _override(security, "ContentSecurityPolicy")
    if "ContentTypeOptions" in security:
        yield "X-Content-Type-Options", "nosniff", _override(security, "ContentTypeOptions")
    if "StrictTransportSecurity" in security:
        transport = security["StrictTransportSecurity"]
        value = f"max-age={transport['AccessControlMaxAgeSec']}"
        value += "; includeSubDomains" if transport.get("IncludeSubdomains") else ""
        value += "; preload" if transport.get("Preload") else ""
        yield "Strict-Transport-Security", value, _override(security, "StrictTransportSecurity")
    for header in policy.get("CustomHeadersConfig", {}).get("Items", []):
        yield header["Header"], header["Value"], bool(header["Override"])


def _override(security: dict[str, Any], name: str) -> bool:
    return bool(security[name]["Override"])


def _xss(protection: dict[str, Any]) -> str:
    if not protection["Protection"]:
        return "0"
    if protection.get("ReportUri"):
        return f"1; report={protection['ReportUri']}"
    return "1; mode=block" if protection.get("ModeBlock") else "1"


def applied(policy: dict[str, Any], headers: dict[str, str]) -> dict[str, str]:
    """A response's headers with the policy: first what it removes, then what it adds."""
    removed = {
        entry["Header"].lower() for entry in policy.get("RemoveHeadersConfig", {}).get("Items", [])
    }
    result = {name: value for name, value in headers.items() if name.lower() not in removed}
    for name, value, override in additions(policy):
        present = [known for known in result if known.lower() == name.lower()]
        if present and not override:
            continue
        for known in present:
            del result[known]
        result[name] = value
    return result
