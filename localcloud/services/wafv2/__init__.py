"""AWS WAF: web ACLs for load balancers, kept as words. Nothing of them filters: Envoy is not told.

What a web ACL says is checked as AWS checks it, so that a misspelt managed rule group, a rule
without an action or too much capacity is refused here already; requests go through unexamined.
https://docs.aws.amazon.com/waf/latest/APIReference/Welcome.html
"""

from __future__ import annotations

from localcloud.cloud import Cloud
from localcloud.services.wafv2.web_acls import WebAcls


def register(cloud: Cloud) -> None:
    """Answer the whole service."""
    cloud.api.replace_service("wafv2", WebAcls(cloud))
