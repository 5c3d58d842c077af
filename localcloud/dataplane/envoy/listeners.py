"""Listeners as Envoy's: connection manager, TLS, the load balancer's own answers, access log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from localcloud.dataplane.envoy.accesslog import envoy_log_format
from localcloud.dataplane.envoy.conditions import PEER, PEER_HEADER
from localcloud.dataplane.envoy.model import Certificate, Listener, LoadBalancer
from localcloud.dataplane.envoy.routes import page

JsonObject = dict[str, Any]

_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"
_HTTP = "type.googleapis.com/envoy.extensions.filters.http"
_VERSIONS = {"1.0": "TLSv1_0", "1.1": "TLSv1_1", "1.2": "TLSv1_2", "1.3": "TLSv1_3"}

# Envoy answers 503 for most that goes wrong; an ALB tells by the code whose fault it was:
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
ERROR_FLAGS = {
    502: ("UF", "UC", "UR", "LR", "UPE"),
    503: ("UH", "NC", "NR", "UO"),
    504: ("UT",),
}

# An ALB marks each request for tracing, and keeps a root that is there already:
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html
_SCRIPT = """
local seed = tonumber(tostring({}):match("0x(%%x+)"), 16) or 0
math.randomseed(os.time() + seed %% 1000003)
local function mark()
  local digits = string.format("%%06x%%06x%%06x%%06x", math.random(0, 0xffffff),
    math.random(0, 0xffffff), math.random(0, 0xffffff), math.random(0, 0xffffff))
  return string.format("1-%%08x-%%s", os.time(), digits)
end
local drop_invalid = %s
function envoy_on_request(handle)
  local headers = handle:headers()
  if drop_invalid then
    local invalid = {}
    for name in pairs(headers) do
      if not name:match("^:?[-%%w]+$") then invalid[#invalid + 1] = name end
    end
    for _, name in ipairs(invalid) do headers:remove(name) end
  end
  local given = headers:get("x-amzn-trace-id")
  if given == nil then
    headers:add("x-amzn-trace-id", "Root=" .. mark())
  elseif given:find("Root=", 1, true) then
    headers:replace("x-amzn-trace-id", "Self=" .. mark() .. ";" .. given)
  else
    headers:replace("x-amzn-trace-id", "Root=" .. mark() .. ";" .. given)
  end
end
"""


def _flagged(flags: tuple[str, ...]) -> JsonObject:
    return {"response_flag_filter": {"flags": list(flags)}}


def _idle_target() -> JsonObject:
    """Nothing was heard of a target for the idle time-out (of a client: 408, Envoy's own)."""
    code = {"value": {"default_value": 504, "runtime_key": "localcloud.idle"}}
    return {
        "and_filter": {
            "filters": [
                _flagged(("SI",)),
                {"status_code_filter": {"comparison": {"op": "EQ", **code}}},
            ]
        }
    }


def _mapper(status: int, condition: JsonObject) -> JsonObject:
    return {
        "filter": condition,
        "status_code": status,
        "body": {"inline_string": page(status)},
        "body_format_override": {
            "text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"},
            "content_type": "text/html",
        },
    }


def _filters(*, drop_invalid_headers: bool) -> list[JsonObject]:
    return [
        {
            "name": "envoy.filters.http.lua",
            "typed_config": {
                "@type": f"{_HTTP}.lua.v3.Lua",
                "default_source_code": {
                    "inline_string": _SCRIPT % str(drop_invalid_headers).lower()
                },
            },
        },
        {
            "name": "envoy.filters.http.router",
            "typed_config": {
                "@type": f"{_HTTP}.router.v3.Router",
                "suppress_envoy_headers": True,
            },
        },
    ]


def _manager(
    balancer: LoadBalancer, listener: Listener, routes: Path, access_log: Path
) -> JsonObject:
    manager: JsonObject = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network"
        ".http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": listener.id,
        "codec_type": "AUTO" if balancer.http2 else "HTTP1",
        "rds": {
            "route_config_name": listener.id,
            "config_source": {
                "resource_api_version": "V3",
                "path_config_source": {"path": str(routes)},
            },
        },
        # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-listeners.html
        "http_protocol_options": {
            "accept_http_10": True,
            "default_host_for_http_10": balancer.address,
        },
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "http_filters": _filters(drop_invalid_headers=balancer.drop_invalid_headers),
        "use_remote_address": True,
        "skip_xff_append": True,
        "early_header_mutation_extensions": [
            {
                "name": "envoy.http.early_header_mutation.header_mutation",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation"
                    ".header_mutation.v3.HeaderMutation",
                    "mutations": [
                        {
                            "append": {
                                "header": {"key": PEER_HEADER, "value": PEER},
                                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                            }
                        }
                    ],
                },
            }
        ],
        "generate_request_id": False,
        "server_name": "awselb/2.0",
        "server_header_transformation": "APPEND_IF_ABSENT"
        if listener.server_header
        else "PASS_THROUGH",
        "normalize_path": False,
        # Quiet for the idle time-out while a target works: 504; while a client sends: 408.
        "stream_idle_timeout": f"{balancer.idle_timeout}s",
        "common_http_protocol_options": {
            "idle_timeout": f"{balancer.idle_timeout}s",
            "max_connection_duration": f"{balancer.client_keep_alive}s",
        },
        "http1_safe_max_connection_duration": True,
        "local_reply_config": {
            "mappers": [
                *(_mapper(status, _flagged(flags)) for status, flags in ERROR_FLAGS.items()),
                _mapper(504, _idle_target()),
            ]
        },
        "access_log": [
            {
                "name": "envoy.access_loggers.file",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3"
                    ".FileAccessLog",
                    "path": str(access_log),
                    "log_format": {"json_format": envoy_log_format(balancer, listener)},
                },
            }
        ],
    }
    return manager


def _tls(listener: Listener, balancer: LoadBalancer, secrets: dict[str, Path]) -> JsonObject:
    lowest, highest = listener.tls_versions
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_TLS}.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"] if balancer.http2 else ["http/1.1"],
                "tls_params": {
                    "tls_minimum_protocol_version": _VERSIONS[lowest],
                    "tls_maximum_protocol_version": _VERSIONS[highest],
                },
                # Envoy chooses by the name the client asks for, the first one for any other.
                "tls_certificate_sds_secret_configs": [
                    {
                        "name": name,
                        "sds_config": {
                            "resource_api_version": "V3",
                            "path_config_source": {"path": str(secrets[name])},
                        },
                    }
                    for name in listener.certificates
                ],
            },
        },
    }


def listener_resource(
    balancer: LoadBalancer,
    listener: Listener,
    *,
    routes: Path,
    access_log: Path,
    secrets: dict[str, Path],
) -> JsonObject:
    """The Envoy listener of a listener."""
    chain: JsonObject = {
        "filters": [
            {
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": _manager(balancer, listener, routes, access_log),
            }
        ]
    }
    if listener.secure:
        chain["transport_socket"] = _tls(listener, balancer, secrets)
    return {
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": listener.id,
        "address": {
            "socket_address": {"address": balancer.address, "port_value": listener.served_port}
        },
        # One socket for all workers, so that a port somebody else serves is refused, not shared.
        "enable_reuse_port": False,
        "filter_chains": [chain],
        **({"listener_filters": [_inspector()]} if listener.secure else {}),
    }


def _inspector() -> JsonObject:
    return {
        "name": "envoy.filters.listener.tls_inspector",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3"
            ".TlsInspector"
        },
    }


def secret(certificate: Certificate) -> JsonObject:
    """A certificate as Envoy's secret."""
    return {
        "@type": f"{_TLS}.Secret",
        "name": certificate.id,
        "tls_certificate": {
            "certificate_chain": {"inline_string": certificate.certificate},
            "private_key": {"inline_string": certificate.private_key},
        },
    }
