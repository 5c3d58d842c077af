"""Listener rules and their actions as Envoy's route configuration."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from localcloud.dataplane.envoy.conditions import PEER, PEER_HEADER, route_match
from localcloud.dataplane.envoy.model import (
    Action,
    FixedResponse,
    Forward,
    Listener,
    LoadBalancer,
    Redirect,
    UnsupportedError,
)
from localcloud.settings import served_port

JsonObject = dict[str, Any]


def _redirect_port(action: Redirect, listener: Listener) -> int:
    if action.port == "#{port}":
        return listener.served_port
    return served_port(int(action.port))


def _redirect(action: Redirect, listener: Listener) -> JsonObject:
    """The redirect of an action.

    A port is given as the one that serves it here, so that the client can follow. Raises
    UnsupportedError for a placeholder in the middle of a host, or of another part in a path.
    """
    redirect: JsonObject = {
        "response_code": {301: "MOVED_PERMANENTLY", 302: "FOUND"}[action.status],
        "port_redirect": _redirect_port(action, listener),
    }
    if action.protocol != "#{protocol}":
        redirect["scheme_redirect"] = action.protocol.lower()
    else:
        redirect["scheme_redirect"] = "https" if listener.secure else "http"
    if action.host != "#{host}":
        if "#{" in action.host:
            raise UnsupportedError("a redirect whose host mixes text and placeholders")
        redirect["host_redirect"] = action.host
    literal_query = action.query if action.query not in ("", "#{query}") else ""
    if "#{" in literal_query:
        raise UnsupportedError("a redirect whose query mixes text and placeholders")
    if "#{" not in action.path:
        redirect["path_redirect"] = action.path + (f"?{literal_query}" if literal_query else "")
    elif "#{" in action.path.replace("#{path}", "") or literal_query:
        raise UnsupportedError("a redirect with placeholders other than #{path} in its path")
    elif action.path != "/#{path}":
        redirect["regex_rewrite"] = {
            "pattern": {"regex": "^/(.*)$"},
            "substitution": action.path.replace("\\", "\\\\").replace("#{path}", "\\1"),
        }
    if not action.query:
        redirect["strip_query"] = True
    return {"redirect": redirect}


def page(status: int) -> str:
    """The body of the load balancer's own error answers."""
    title = f"{status} {HTTPStatus(status).phrase}"
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    )


def _content_type(value: str) -> JsonObject:
    return {
        "header": {"key": "content-type", "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def _forward(action: Forward) -> JsonObject:
    """Weighted clusters; nothing to choose from answers 503, since Envoy refuses a sum of 0."""
    clusters = [{"name": name, "weight": weight} for name, weight in action.weights if weight > 0]
    if not clusters:
        return {
            "direct_response": {"status": 503, "body": {"inline_string": page(503)}},
            "response_headers_to_add": [_content_type("text/html")],
        }
    # A slow answer is the idle time-out's business: Envoy's own limit of 15 s is taken off.
    if len(clusters) == 1:
        return {"route": {"cluster": clusters[0]["name"], "timeout": "0s"}}
    return {"route": {"weighted_clusters": {"clusters": clusters}, "timeout": "0s"}}


def _fixed(action: FixedResponse) -> JsonObject:
    answer: JsonObject = {
        "direct_response": {"status": action.status},
        # Envoy adds one to every 201.
        "response_headers_to_remove": ["location"],
    }
    if action.body:
        answer["direct_response"]["body"] = {"inline_string": action.body}
        answer["response_headers_to_add"] = [_content_type(action.content_type)]
    return answer


def route_action(action: Action, listener: Listener) -> JsonObject:
    """Members of an Envoy route that carry out an action."""
    if isinstance(action, Forward):
        return _forward(action)
    if isinstance(action, Redirect):
        return _redirect(action, listener)
    return _fixed(action)


def _kind(action: Action) -> str:
    if isinstance(action, Forward):
        return "forward"
    return "redirect" if isinstance(action, Redirect) else "fixed-response"


def route_configuration(balancer: LoadBalancer, listener: Listener) -> JsonObject:
    """The route configuration of a listener: its rules by priority, the default one last.

    The X-Forwarded headers are as
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
    says; X-Forwarded-Port is the port of the API, not the one it is served at here.
    """
    rules = sorted(listener.rules, key=lambda rule: (rule.priority is None, rule.matched_priority))
    headers = [
        {
            "header": {"key": "x-forwarded-port", "value": str(listener.port)},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }
    ]
    removed = [PEER_HEADER, "x-envoy-external-address", "x-envoy-internal"]
    if balancer.forwarded_for == "append":
        # Not left to Envoy, which puts the machine's own address for a client on loopback.
        headers.append(
            {
                "header": {"key": "x-forwarded-for", "value": PEER},
                "append_action": "APPEND_IF_EXISTS_OR_ADD",
            }
        )
    if balancer.forwarded_for == "remove":
        removed.append("x-forwarded-for")
    return {
        "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        "name": listener.id,
        "virtual_hosts": [
            {
                "name": "all",
                "domains": ["*"],
                "routes": [
                    {
                        "match": route_match(rule),
                        "metadata": {
                            "filter_metadata": {
                                "localcloud": {
                                    "priority": str(rule.matched_priority),
                                    "action": _kind(rule.action),
                                }
                            }
                        },
                        **route_action(rule.action, listener),
                    }
                    for rule in rules
                ],
            }
        ],
        "request_headers_to_add": headers,
        "request_headers_to_remove": removed,
    }
