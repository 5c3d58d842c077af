"""The module ``whatsapp_webhooks``."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_progress import Progress
from ..lyo_release.outputs import read_outputs
from . import handover, sources, versions
from . import plan as planning
from .errors import GraphError, app_refused, remedy
from .fence import Fence
from .graph import Graph, check_base_url
from .rate import Pacer
from .record import RecordError, Store
from .registration import Registration, Settled, StoppedError
from .secrets import SecretProblemsError, Vault, app_secret, tenant_tokens
from .tenants import Tenant, TenantsError, check, token_reference, url_problems
from .work import Work

# Masking shorter ones would garble what has nothing to do with them.
SHORTEST_SECRET = 8


class RefusedError(Exception):
    """The run ends before anything is written; the message says why and what to do."""


def today() -> Any:
    """The day by UTC."""
    return datetime.now(UTC).date()


def tenants_of(
    aws: Aws,
    params: Mapping[str, Any],
    outputs: Mapping[str, Any],
    store: Store,
    *,
    writing: bool,
) -> tuple[list[Tenant], dict[str, str], sources.Rows]:
    """Return the tenants, by name what is wrong with those left out, and the list as it was read.

    :raises TenantsError, RefusedError: the list cannot be used.
    """
    source = params["tenants"]
    if source.get("file"):
        place, rows = str(source["file"]), sources.from_file(str(source["file"]))
    elif source.get("s3"):
        place = f"s3://{source['s3']['bucket']}/{source['s3']['key']}"
        rows = sources.from_s3(aws, source["s3"]["bucket"], source["s3"]["key"])
    else:
        place = "the list from the application's database"
        rows = _from_database(aws, params, outputs, store, writing=writing)
    tenants, problems = check(rows)
    if not rows:
        raise TenantsError(f"{place} has no tenant")
    if problems and not params["skip_invalid"]:
        lines = [f"{place} cannot be used:", *map(str, problems)]
        raise TenantsError("\n  ".join(lines))
    invalid: dict[str, str] = {}
    for problem in problems:
        name = problem.tenant if problem.tenant != "?" else f"line {problem.line}"
        text = f"line {problem.line}: {problem.text}"
        invalid[name] = f"{invalid[name]}; {text}" if name in invalid else text
    return tenants, invalid, rows


def _from_database(
    aws: Aws, params: Mapping[str, Any], outputs: Mapping[str, Any], store: Store, *, writing: bool
) -> sources.Rows:
    """Return the database's list; in check mode, which starts no task, that of the last run."""
    if not writing:
        kept = store.tenants()
        if kept is None:
            raise RefusedError(
                "the tenants are in the application's database, and asking it starts a task, which "
                "check mode does not: name a list by -e webhooks_tenants=<file> for a prediction"
            )
        return kept
    left = None if params["begin"] or params["reread"] else handover.take_rows()
    rows = left or sources.from_database(
        aws, outputs, params["task"], params["tenants"]["database"]
    )
    if params["begin"]:
        handover.leave_rows(rows)
    return rows


def _tls(bundle: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=bundle or None)
    except OSError as error:
        raise RefusedError(f"the CA bundle {bundle} cannot be used: {error}") from None


class Run:
    """One run of the module.

    :raises RefusedError, TenantsError, SecretProblemsError, RecordError, AwsFailure: before
        anything is written.
    """

    def __init__(self, aws: Aws, params: Mapping[str, Any], *, check_mode: bool) -> None:
        self.aws, self.params, self.check_mode = aws, params, check_mode
        graph, version = params["graph"], params["graph"]["version"]
        problem = versions.problem(version, today())
        if problem:
            raise RefusedError(problem)
        base_url = check_base_url(graph["url"], params["env"])
        outputs = params["outputs"] or read_outputs(aws, f"/lyo/{params['env']}/outputs")
        if not outputs.get("whatsapp_secret_arn"):
            raise RefusedError(f"{params['env']} has no infrastructure yet: run deploy.yml first")
        url = params["callback_url"] or outputs["api_url"].rstrip("/") + params["callback_path"]
        if url_problems(url):
            raise RefusedError("; ".join(url_problems(url)))
        self.outputs, self.url, self.version = outputs, url, version
        store = params["store"]
        self.store = Store(aws, store["bucket"], store["prefix"], store["kms_key"])
        self.tenants, self.invalid, self.rows = tenants_of(
            aws, params, outputs, self.store, writing=not check_mode
        )
        self.vault = Vault(aws)
        secret = params["secret"] or str(outputs["whatsapp_secret_arn"])
        self.secret_name = secret
        self.app = app_secret(self.vault, secret)
        shared = token_reference(params["token"] or f"{secret}#access_token")
        tokens, self.without_token = tenant_tokens(self.vault, self.tenants, shared)
        if self.without_token and not params["skip_invalid"]:
            names = [f"tenant {name}: {why}" for name, why in self.without_token.items()]
            raise SecretProblemsError("\n  ".join(["tokens are missing:", *names[:50]]))
        self.context = _tls(params["ca_bundle"] or (params["aws"] or {}).get("ca_bundle"))
        pacer = Pacer(graph["rate"], graph["max_rate"])
        self.graph = Graph(
            base_url,
            version,
            self.app.secret,
            pacer,
            attempts=graph["attempts"],
            timeout=graph["timeout"],
            patience=graph["patience"],
            before_write=Fence(aws),
        )
        self.work = Work(self.graph, self.app, tokens)
        self.secrets = [*aws.secrets, self.app.secret, self.app.token, *self.app.verify_tokens]
        self.secrets += list(tokens.values())

    @property
    def key(self) -> str:
        """What a reading half has read for, so that its writing half takes over the right thing."""
        names = [[t.id, t.waba_id, *t.numbers] for t in self.tenants]
        text = json.dumps([self.url, self.version, self.app.id, names, self.params["restore"]])
        return hashlib.sha256(text.encode()).hexdigest()


def run(module: Any) -> None:
    """Run the module."""
    params = module.params
    aws = Aws(params["aws"])
    registration: Registration | None = None
    try:
        prepared = Run(aws, params, check_mode=module.check_mode)
        # Ansible masks them in whatever the module returns.
        module.no_log_values.update(s for s in prepared.secrets if len(s) >= SHORTEST_SECRET)
        progress = Progress("webhooks", prepared.secrets)
        registration = Registration(prepared, progress)
        settled = registration.run(begin=params["begin"], check_mode=module.check_mode)
    except StoppedError as error:
        _refuse(module, str(error), aws, changed=error.changed)
    except GraphError as error:
        text = f"Meta refuses the app: {error.shown}: {remedy(error)}"
        if app_refused(error):
            text = (
                f"Meta does not accept the app's id and secret ({error.shown}): correct app_id and "
                f"app_secret in the secret {prepared.secret_name}. Nothing was written"
            )
        _refuse(module, text, aws)
    except (RefusedError, TenantsError, SecretProblemsError, RecordError, ValueError) as error:
        _refuse(module, str(error), aws)
    except AwsFailure as failure:
        wrote = registration is not None and registration.work.graph.counts.writes > 0
        _refuse(module, failure.message, aws, changed=wrote)
    finally:
        if registration is not None:
            registration.work.graph.close()
    _end(module, prepared, settled)


def _refuse(module: Any, message: str, aws: Aws, *, changed: bool = False) -> None:
    reasons = message.split("\n  ")
    module.fail_json(
        msg=message, verdict="FAILED", reasons=reasons, changed=changed or aws.writes > 0
    )


def _end(module: Any, prepared: Run, settled: Settled) -> None:
    warning = versions.warning(prepared.version, today())
    if warning:
        module.warn(warning)
    path = prepared.params["report_file"]
    if path and settled.report and not module.check_mode:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(settled.report, encoding="utf-8")
    failed = {n: o for n, o in settled.outcomes.items() if o.outcome == planning.FAILED}
    answer: dict[str, Any] = {
        "changed": settled.changed,
        "pending": settled.pending,
        "verdict": settled.verdict,
        "reasons": settled.reasons,
        "table": settled.table,
        "writes": settled.writes,
        "kept": settled.kept,
        "counts": settled.counts,
        "routes": settled.routes[: prepared.params["max_lines"]],
        "failing": {name: vars(o) for name, o in list(failed.items())[:1000]},
        "report_file": path if path and settled.report and not module.check_mode else "",
        "diff": settled.diff,
    }
    if settled.pending and not module.check_mode:
        # Nothing has happened yet that the end of the run could say.
        module.exit_json(lyo_summary={}, **answer)
    summary = {"report": settled.table, "verdict": settled.verdict, "reasons": settled.reasons}
    if failed or settled.verdict == "FAILED":
        module.fail_json(
            msg=f"{len(failed)} of {len(settled.outcomes)} tenants are not as wanted",
            lyo_summary=summary,
            **answer,
        )
    module.exit_json(lyo_summary=summary if prepared.params["summary"] else {}, **answer)
