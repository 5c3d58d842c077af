"""The module ``release_plan``: reads the live state once and says what a deploy needs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..lyo_aws import Aws, AwsFailure, parallel
from ..lyo_image import registry
from ..lyo_image.description import BadDescriptionError
from ..lyo_image.reference import Reference, parse, within
from ..lyo_image.run_image import release_name, wanted_schema, wanted_tag
from ..lyo_progress import Progress
from ..lyo_webhooks.record import Registered, Store, why_register
from . import dashboard, decide_plan, infra_marker, live, schema
from .decide_deploy import Live
from .options import missing_outputs
from .outputs import read_outputs
from .past import Past
from .result import diff
from .task_definition import SCHEMA_LABEL, image_of, release_of, render, schema_of, summary
from .verdict import FAILED, UNCHANGED


def infra_reason(aws: Aws, infra: Mapping[str, Any], files: str) -> str:
    """Return why Terraform has to plan, empty where it has not."""
    if infra["force"] == "skip":
        return ""
    if infra["force"] == "plan":
        return "a plan was asked for"
    if not infra.get("bucket"):
        return ""
    bucket = infra["bucket"]
    marker, state = parallel(
        lambda: infra_marker.read_marker(aws, bucket, infra["marker_key"]),
        lambda: infra_marker.state_version(aws, bucket, infra["state_key"]),
    )
    now = datetime.now(UTC)
    return infra_marker.why_plan(marker, files, state, now, int(infra["max_age_hours"]))


def read_registered(aws: Aws, infra: Mapping[str, Any], prefix: str) -> Registered | None:
    """Return what was registered at Meta, None where nothing was or there is no bucket yet."""
    return Store(aws, str(infra["bucket"]), prefix).registered()


def known_releases(app: Mapping[str, Any]) -> list[str]:
    """Return the releases that the application's folder can build, empty where any can."""
    if app["builder"] == "docker":
        return []
    try:
        text = (Path(app["path"]) / app["image_toml"]).read_text(encoding="utf-8")
        return list(tomllib.loads(text).get("releases", {}))
    except (OSError, tomllib.TOMLDecodeError):
        return []  # said in full when the image's description is loaded


class Planner:
    """One run of the module.

    :ivar outputs: Terraform's outputs, empty before they exist.
    :ivar state: the service.
    :ivar release: the wanted release.
    :ivar image: the wanted image with digest, empty until it is built.
    :ivar tag: its tag.
    """

    def __init__(self, aws: Aws, params: Mapping[str, Any]) -> None:
        self.aws = aws
        self.params = params
        self.outputs: dict[str, Any] = {}
        self.state = live.State()
        self.release = ""
        self.image = ""
        self.tag = ""
        self.infra = ""
        self.files = ""
        self.dashboard = ""
        self.webhooks = ""
        self.schema: tuple[str, ...] = ()
        self.past = Past(aws, params.get("ledger"))

    def read(self) -> None:
        """Read everything the plan is made from.

        :raises AwsFailure, ValueError, BadDescriptionError, FileNotFoundError: it cannot be made.
        """
        params = self.params
        infra = params["infra"]
        self.files = infra_marker.fingerprint(infra["paths"], infra["variables"])
        if params.get("release") and not params.get("image"):
            self._want_tag(params["release"])  # a typo costs no call
        name = params.get("outputs_parameter") or f"/lyo/{params['env']}/outputs"
        webhooks = params.get("webhooks") or {}
        reads = bool(webhooks and infra.get("bucket"))
        self.outputs, self.infra, registered = parallel(
            lambda: read_outputs(self.aws, name),
            lambda: infra_reason(self.aws, infra, self.files),
            lambda: read_registered(self.aws, infra, webhooks["prefix"]) if reads else None,
        )
        if reads:
            self.webhooks = self._why_webhooks(registered)
        missing = missing_outputs(self.outputs)
        if self.outputs and missing:
            self.infra = self.infra or f"the outputs lack {', '.join(missing)}"
            self.outputs = {}
        if self.outputs:
            self.state, found, self.dashboard = parallel(
                self._read_service, self._find_early, self._read_dashboard
            )
            self._want(found)
        else:
            self._want_without_outputs()

    def _why_webhooks(self, registered: Registered | None) -> str:
        """Return why webhooks have to be registered; before there are outputs that is for later."""
        webhooks = self.params["webhooks"]
        if not self.outputs.get("api_url"):
            return ""
        url = str(self.outputs["api_url"]).rstrip("/") + webhooks["callback_path"]
        return why_register(registered, url, webhooks["graph_version"], webhooks["token_version"])

    def _want_tag(self, release: str) -> None:
        self.tag, _ = wanted_tag(self.params["app"], release)
        self.schema = wanted_schema(self.params["app"], release)

    def _read_service(self) -> live.State:
        outputs = self.outputs
        return live.read(
            self.aws, outputs["cluster_name"], outputs["service_name"], outputs["task_family"]
        )

    def _read_dashboard(self) -> str:
        """Return why the dashboard has to be uploaded; empty where it has not, or there is none."""
        folder, bucket = self.params["app"].get("dashboard"), self.outputs.get("dashboard_bucket")
        if not folder or not bucket:
            return ""
        wanted = dashboard.wanted(
            Path(self.params["app"]["path"]) / folder, str(self.outputs["api_url"])
        )
        return dashboard.difference(wanted, dashboard.present(self.aws, str(bucket)))

    def _reference(self) -> Reference:
        url = str(self.outputs["repository_url"])
        if self.params.get("image"):
            return within(self.params["image"], url)
        home = parse(url)
        return Reference(home.registry, home.repository, self.tag)

    def _find_early(self) -> dict[str, Any] | None:
        """Look the image up beside the service, where its name is known without it."""
        if self.params.get("image"):
            return registry.resolve(self.aws, self._reference())
        return registry.find(self.aws, self._reference()) if self.tag else None

    @property
    def _keeps(self) -> bool:
        """Whether the wanted release is the live one as it is, whatever this repository would build."""
        params = self.params
        named = params.get("release") or params.get("image")
        return bool(params.get("live") and not named and image_of(self.state.live_definition))

    def _want_live(self) -> None:
        definition = self.state.live_definition
        self.image, self.release = image_of(definition), release_of(definition)
        self.schema = schema_of(definition)
        found = registry.resolve(self.aws, within(self.image, str(self.outputs["repository_url"])))
        self.tag = next(iter(found.get("imageTags") or ()), "")

    def _want(self, found: dict[str, Any] | None) -> None:
        params = self.params
        if self._keeps:
            self._want_live()
            return
        if params.get("image"):
            reference = self._reference()
            self.tag = reference.tag
            self.release = release_name(reference, params.get("release"))
        else:
            self._want_release(release_of(self.state.live_definition))
            if not params.get("release"):
                found = registry.find(self.aws, self._reference())
        if found is not None:
            self.image = f"{self.outputs['repository_url']}@{found['imageDigest']}"
            if params.get("image"):
                if not found.get("imageTags"):
                    raise ValueError(
                        f"the image {found['imageDigest']} has no tag, and the registry removes "
                        "untagged images, also one that serves: give it a tag, then deploy it"
                    )
                self.schema = self._schema_of_image(str(found["imageDigest"]))

    def _schema_of_image(self, digest: str) -> tuple[str, ...]:
        """Return what schema an image built elsewhere runs on, by its label."""
        for definition in self.state.definitions.values():
            if image_of(definition) == self.image:
                return schema_of(definition)  # what is live already costs no call
        labels = registry.labels(self.aws, self._reference().repository, digest)
        return tuple(labels.get(SCHEMA_LABEL, "").split())

    def _want_release(self, live_release: str) -> None:
        app = self.params["app"]
        self.release = decide_plan.wanted_release(
            self.params.get("release"),
            live_release,
            app.get("default_release"),
            known_releases(app),
        )
        if not self.tag:
            self._want_tag(self.release)

    def _want_without_outputs(self) -> None:
        if self.params.get("image"):
            reference = parse(self.params["image"])
            self.tag = reference.tag
            self.release = release_name(reference, self.params.get("release"))
        else:
            self._want_release("")

    def wanted_definition(self) -> dict[str, Any]:
        """Return the wanted task definition; its image is the tag until the image exists."""
        if not self.outputs:
            return {}
        image = self.image or f"{self.outputs['repository_url']}:{self.tag}"
        return render(self.outputs, self.params["task"], image, self.release, schema=self.schema)

    def with_schema(self, facts: decide_plan.Facts) -> decide_plan.Facts:
        """Return the facts with what the schema says of a release that is to be deployed anew."""
        group = str(self.outputs.get("log_group", ""))
        present, _ = self.past.present(group) if self.schema else (None, "")
        if not schema.outlived(self.schema, present):
            return facts
        why = schema.cannot_serve(self.release, self.schema, present)
        force = self.params.get("force_schema")
        if force and force in (self.release, self.image, self.image.partition("@")[2]):
            return replace(facts, schema_remark=f"forced by name: {why}")
        other = f" (force_schema={force} names another one)" if force else ""
        refusal = f"{why}{other}. To release it all the same: -e force_schema={self.release}"
        return replace(facts, schema_refusal=refusal)

    def facts(self) -> decide_plan.Facts:
        """Return what the decision is made from."""
        wanted = self.wanted_definition()
        service = self.state.decided_from(wanted) if self.outputs else Live(exists=False)
        live_image = image_of(self.state.live_definition)
        return decide_plan.Facts(
            has_outputs=bool(self.outputs),
            infra_reason=self.infra,
            image_exists=bool(self.image),
            same_image=bool(self.image) and live_image == self.image and service.desired > 0,
            live=service,
            release=self.release,
            dashboard_reason=self.dashboard,
            webhooks_reason=self.webhooks,
        )

    def current(self) -> dict[str, Any]:
        """Return the live state for people."""
        state = self.state
        service, deployment = state.service or {}, state.deployment or {}
        return {
            "release": release_of(state.live_definition),
            "image": image_of(state.live_definition),
            "task_definition": state.live,
            "desired": int(service.get("desiredCount", 0)),
            "running": int(service.get("runningCount", 0)),
            "deployment": str(deployment.get("serviceDeploymentArn", "")),
            "deployment_status": str(deployment.get("status", "")),
            "deployment_release": release_of(state.definitions.get(state.target)),
        }


def run(module: Any) -> None:
    """Run the module ``release_plan``."""
    params = module.params
    aws = Aws(params["aws"])
    progress = Progress("plan", aws.secrets)
    progress("plan", "reading the live state")
    planner = Planner(aws, params)
    try:
        planner.read()
        facts, wanted = planner.facts(), planner.wanted_definition()
    except AwsFailure as failure:
        module.fail_json(msg=failure.message, verdict=FAILED, reasons=[failure.message])
    except (ValueError, BadDescriptionError, FileNotFoundError) as error:
        module.fail_json(msg=str(error), verdict=FAILED, reasons=[str(error)])
    plan = decide_plan.steps(facts, params["in_progress"])
    if decide_plan.MIGRATE in plan.steps and planner.outputs:
        facts = planner.with_schema(facts)
        plan = decide_plan.steps(facts, params["in_progress"])
    answer: dict[str, Any] = {
        "changed": False,  # it only reads; what follows changes
        "steps": plan.steps,
        "verdict_if_nothing": "" if plan.steps else UNCHANGED,
        "reasons": plan.reasons,
        "current": planner.current(),
        "wanted": {
            "release": planner.release,
            "image": planner.image,
            "tag": planner.tag,
            "schema": list(planner.schema),
            "strategy": params["deployment"]["strategy"],
            "task_definition": planner.state.equal_definition(wanted) if wanted else "",
        },
        "outputs": planner.outputs,
        "infra_fingerprint": planner.files,
        "diff": {},
    }
    if params.get("compare"):
        from .comparison import of_plan  # only who asks for it waits for it

        try:
            answer["comparison"] = of_plan(planner, wanted)
        except AwsFailure as failure:
            module.fail_json(msg=failure.message, verdict=FAILED, reasons=[failure.message])
    if plan.refusal:
        kept = {key: answer[key] for key in ("steps", "reasons", "current", "wanted")}
        module.fail_json(msg=plan.refusal, verdict=FAILED, changed=False, **kept)
    if {decide_plan.DEPLOY, decide_plan.WATCH} & set(plan.steps):
        before = summary(planner.state.live_definition)
        answer["diff"] = diff(before, summary(wanted), "task definition")
    module.exit_json(**answer)
