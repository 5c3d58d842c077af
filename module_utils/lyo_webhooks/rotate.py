"""The module ``whatsapp_verify_token``."""

from __future__ import annotations

import json
import secrets as random
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from .decide import token_mark
from .record import Registered, Store

TOKEN_BYTES = 30
BEGIN, END = "begin", "end"


def tokens_after(state: str, tokens: list[str], new: str) -> list[str]:
    """Return the tokens that the secret is to hold, the one to register first."""
    if state == BEGIN:
        return [new, *tokens] if len(tokens) == 1 else tokens
    return tokens[:1]


def why_not_end(registered: Registered | None, mark: str) -> str:
    """Return why the former token is still needed, empty where it is not.

    :param mark: of the new token.
    """
    if registered is None or not registered.marks:
        return "nothing is registered at Meta yet"
    if registered.restored:
        return f"what was kept as {registered.restored} was brought back since"
    old = [name or "the app" for name, known in registered.marks.items() if known != mark]
    if old:
        more = f" and {len(old) - 5} more" if len(old) > 5 else ""
        return f"Meta has the former token for {', '.join(old[:5])}{more}"
    if not registered.complete:
        return "the last registration is not complete"
    return ""


def run(module: Any) -> None:
    """Run the module."""
    params = module.params
    aws = Aws(params["aws"])
    try:
        _run(module, aws)
    except AwsFailure as failure:
        module.fail_json(msg=failure.message, changed=aws.writes > 0)


def _run(module: Any, aws: Aws) -> None:
    params, name = module.params, module.params["secret"]
    answer = aws.call("secretsmanager", "get_secret_value", SecretId=name)
    try:
        content = json.loads(answer["SecretString"])
        tokens, app_secret = str(content["verify_token"]).split(), str(content["app_secret"])
    except (ValueError, KeyError, TypeError):
        tokens, app_secret = [], ""
    if not tokens:
        module.fail_json(msg=f"the secret {name} is not JSON with app_secret and verify_token")
    wanted = tokens_after(params["state"], tokens, random.token_urlsafe(TOKEN_BYTES))
    if params["state"] == END and wanted != tokens:
        store = Store(aws, params["store"]["bucket"], params["store"]["prefix"])
        why = why_not_end(store.registered(), token_mark(app_secret, tokens[0]))
        if why:
            module.fail_json(
                msg=f"the former verify token is still needed: {why}. Deploy with the next "
                "lyo_whatsapp_token_version, then run this again"
            )
    changed = wanted != tokens
    if changed and not module.check_mode:
        value = json.dumps({**content, "verify_token": " ".join(wanted)})
        aws.call("secretsmanager", "put_secret_value", SecretId=name, SecretString=value)
    verdict = (
        "PREDICTED" if changed and module.check_mode else "CHANGED" if changed else "UNCHANGED"
    )
    reasons = {
        BEGIN: "tasks that start from now on accept the new verify token and the former one",
        END: "tasks that start from now on accept the new verify token only",
    }
    module.exit_json(
        changed=changed,
        tokens=len(wanted),
        lyo_summary={
            "verdict": verdict,
            "reasons": [reasons[params["state"]]],
            "next": params["next"],
        },
    )
