"""The module terraform_stack: plans once, applies what was planned, stage by stage."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_progress import Progress
from ..lyo_release.infra_marker import write_marker
from ..lyo_release.verdict import DRIFTED, FAILED, UNCHANGED
from .command import Terraform, TerraformFailure, child_environment
from .destroy import Destruction
from .drift import drift_lines, pending_configuration
from .plan import (
    Change,
    Phase,
    Plan,
    PlanRefused,
    Stage,
    assign,
    read,
    refuse_destruction,
    refuse_empty_database,
    refuse_surprises,
    split,
    stages,
)
from .stream import explain_lock

PREFIX = "lyo-plan-"
FORGOTTEN_SECONDS = 24 * 3600
LOCK_POLL_SECONDS = 2.0


class Stack:
    """One run of the module.

    :param params: the module's parameters.
    :param check_mode: plan without the state's lock, keep nothing, write nothing.
    """

    def __init__(self, params: Mapping[str, Any], *, check_mode: bool) -> None:
        self.params, self.check_mode = params, check_mode
        self.phases = [Phase(p["name"], tuple(p["modules"])) for p in params["phases"]]
        chosen = params["chosen"]
        self.chosen = [p.name for p in self.phases] if chosen is None else chosen
        self.aws = Aws(params["aws"])
        self.progress = Progress("terraform", self.aws.secrets)
        data_dir = Path(params["data_dir"]).resolve()
        self.terraform = Terraform(
            params["terraform"],
            Path(params["project_path"]).resolve(),
            data_dir,
            {name: str(value) for name, value in params["backend"].items()},
            child_environment(params["aws"], data_dir, params["cli_config"]),
            self.progress,
            f"Type: ansible-playbook bootstrap.yml -e env={params['env']}",
        )

    def plan(self) -> dict[str, Any]:
        """Plan once and keep the plan for the stages of this run."""
        planned_at = datetime.now(UTC).isoformat(timespec="seconds")
        folder = self._begin()
        keep = False
        try:
            plan = self.make_plan(folder / "whole.tfplan", "plan", [])
            entered, pending = split(plan, self.phases, self.chosen)
            where = assign(plan, self.phases)
            refuse_destruction(
                Plan(tuple(c for c in plan.changes if where[c.address] in entered)),
                self.params["allow_destroy"],
            )
            refuse_empty_database(plan, self.params["allow_destroy"])
            ordered = stages(plan, self.phases, self.chosen)
            keep = bool(ordered) and not self.check_mode
            if keep:
                Kept(plan, ordered, []).save(folder)
        finally:
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)
        return {
            "changed": self.check_mode and bool(entered),
            "plan_dir": str(folder) if keep else "",
            "planned_at": planned_at,
            "phases": entered,
            "pending": pending,
            "changes": self._described(plan.changes, where),
            "outputs": list(plan.outputs),
            "drift": list(plan.drift),
            "drift_lines": drift_lines(plan.drift),
            "diff": difference(plan),
        }

    def drift(self) -> dict[str, Any]:
        """Plan without the lock, keep nothing, and say what was changed outside Terraform."""
        folder = self._begin(read_only=True)
        try:
            plan = self.make_plan(folder / "whole.tfplan", "plan", [])
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        where = assign(plan, self.phases)
        pending = self._described(pending_configuration(plan), where)
        lines = drift_lines(plan.drift)
        waiting = sorted({entry["phase"] for entry in pending})
        still = f"the configuration has {len(pending)} changes pending in {', '.join(waiting)}"
        said = f"{len(lines)} attributes were changed outside Terraform"
        return {
            "changed": False,
            "failed": bool(lines),
            "msg": said if lines else "nothing was changed outside Terraform",
            "verdict": DRIFTED if lines else UNCHANGED,
            "reasons": lines
            + (["nothing was changed outside Terraform"] if not lines else [])
            + ([still] if pending else []),
            "drift": list(plan.drift),
            "changes": pending,
            "outputs": list(plan.outputs),
        }

    def _begin(self, *, read_only: bool = False) -> Path:
        """Whose account this is, Terraform initialised, and a private folder for a plan."""
        # The first call of all asks whose account this is.
        self.aws.call("sts", "get_caller_identity")
        if read_only:
            self.refuse_while_held(0)
        elif not self.check_mode:
            self.terraform.wait_for_interrupted()
        remove_forgotten(self.terraform.data_dir)
        self.terraform.init()
        return Path(tempfile.mkdtemp(prefix=PREFIX, dir=self.terraform.data_dir))

    def refuse_while_held(self, seconds: float) -> None:
        """Wait until nobody holds the state's lock; what reads without it would read half a change.

        :param seconds: how long.
        :raises TerraformFailure: another run still holds the lock.
        """
        deadline = time.monotonic() + seconds
        while True:
            held = self._lock_holder()
            if not held:
                return
            if time.monotonic() >= deadline:
                unlock = f"terraform -chdir={self.terraform.project} force-unlock"
                raise TerraformFailure(explain_lock(held, unlock))
            self.progress("lock", f"{held.get('Who', 'somebody')} still holds the state", None)
            time.sleep(LOCK_POLL_SECONDS)

    def _lock_holder(self) -> dict[str, str]:
        """Who holds the state's lock; empty when nobody does."""
        backend, marker = self.params["backend"], self.params["marker"]
        key = f"{marker['state_key']}.tflock"
        try:
            answer = self.aws.call("s3", "get_object", Bucket=backend["bucket"], Key=key)
        except AwsFailure as failure:
            if failure.code in ("NoSuchKey", "NoSuchBucket", "404"):
                return {}
            raise
        holder: dict[str, str] = json.loads(answer["Body"].read())
        return holder

    def apply(self) -> dict[str, Any]:
        """Apply the stage that the phase belongs to, unless an earlier phase's stage was that."""
        nothing = {"changed": False, "applied": [], "changes": [], "seconds": 0}
        if self.check_mode:
            return nothing  # the plan has told all of it, and was not kept
        phase = self.params["phase"]
        folder = Path(self.params["plan_dir"])
        kept = Kept.load(folder)
        stage = next((stage for stage in kept.stages if phase in stage.phases), None)
        last = phase == kept.stages[-1].phases[-1]
        if stage is None or stage in kept.done:
            if last:
                shutil.rmtree(folder, ignore_errors=True)
            return nothing
        self.terraform.init()
        started = time.monotonic()
        finished = False
        try:
            saved, plan = self._stage_plan(folder, kept, stage)
            command = ["apply", "-json", "-input=false", *self.locking(), str(saved)]
            self.terraform.follow(f"apply {phase}", command, total=len(plan.changes))
            kept.done.append(stage)
            kept.save(folder)
            # What the stages were is asked for by each phase; what was applied holds secrets.
            finished = last
            saved.unlink(missing_ok=True)
            saved.with_suffix(".tfvars.json").unlink(missing_ok=True)
        except (TerraformFailure, PlanRefused):
            finished = True
            raise
        finally:
            if finished:
                shutil.rmtree(folder, ignore_errors=True)
        return {
            "changed": True,
            "applied": list(stage.phases),
            "changes": self._described(plan.changes, assign(plan, self.phases)),
            "seconds": round(time.monotonic() - started, 1),
        }

    def _stage_plan(self, folder: Path, kept: Kept, stage: Stage) -> tuple[Path, Plan]:
        """The saved plan of a stage: the run's own where that is all, else a part cut from it.

        A saved plan cannot be applied in part. The part is planned from the state alone, without
        reading AWS again, and may do nothing that the run's plan did not show.
        """
        if len(kept.stages) == 1 and not stage.targets:
            return folder / "whole.tfplan", kept.plan
        saved = folder / f"{stage.phases[0]}.tfplan"
        options = ["-refresh=false", *(f"-target={target}" for target in stage.targets)]
        plan = self.make_plan(saved, f"plan {stage.phases[0]}", options)
        refuse_surprises(kept.plan, plan, limited=bool(stage.targets))
        return saved, plan

    def make_plan(
        self,
        saved: Path,
        stage: str,
        options: Sequence[str],
        variables: Mapping[str, Any] | None = None,
    ) -> Plan:
        """Plan into the file ``saved`` and return what it says.

        :param variables: values that win over the module's own.
        :raises TerraformFailure: Terraform cannot plan.
        """
        command = ["plan", "-json", "-input=false", "-detailed-exitcode", f"-out={saved}"]
        values = saved.with_suffix(".tfvars.json")
        values.write_text(json.dumps({**self.params["variables"], **(variables or {})}))
        files = [*(Path(file).resolve() for file in self.params["var_files"]), values]
        command += [f"-var-file={file}" for file in files]
        command += [*self.locking(), *options]
        self.progress(stage, "reading state and AWS", None)
        code = self.terraform.follow(stage, command)
        plan = read(self.terraform.show(saved))
        # Terraform and this code must agree on what "nothing" is, or a change would be lost.
        if (code == 0) != plan.empty:
            raise TerraformFailure(
                f"terraform plan ended with {code}, but its document says otherwise: "
                f"{len(plan.changes)} changes, {len(plan.outputs)} outputs"
            )
        return plan

    def locking(self) -> list[str]:
        """Options of a run that takes the state's lock; in check mode it takes none."""
        lock = (
            ["-lock=false"]
            if self.check_mode
            else [f"-lock-timeout={self.params['lock_timeout_seconds']}s"]
        )
        return [*lock, f"-parallelism={self.params['parallelism']}"]

    def _described(
        self, changes: Iterable[Change], where: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        return [{"phase": where[c.address], **c.as_dict()} for c in changes]

    def mark(self) -> dict[str, Any]:
        """Leave the mark that nothing is left to do, with what that depended on."""
        marker = self.params["marker"]
        if not self.check_mode:
            write_marker(
                self.aws,
                marker["bucket"],
                marker["key"],
                marker["state_key"],
                marker["fingerprint"],
            )
        return {"changed": False}


class Kept:
    """What a plan leaves for the stages of its run, beside the saved plan."""

    def __init__(self, plan: Plan, ordered: Sequence[Stage], done: list[Stage]) -> None:
        self.plan, self.stages, self.done = plan, list(ordered), done

    def save(self, folder: Path) -> None:
        """Write it. Only addresses and actions: values could be secret."""
        content = {
            "changes": [[c.address, c.type, c.module, c.action] for c in self.plan.changes],
            "outputs": list(self.plan.outputs),
            "stages": [[list(stage.phases), list(stage.targets)] for stage in self.stages],
            "done": [list(stage.phases) for stage in self.done],
        }
        (folder / "stages.json").write_text(json.dumps(content))

    @classmethod
    def load(cls, folder: Path) -> Kept:
        """Read it back.

        :raises TerraformFailure: when the plan is gone.
        """
        try:
            content = json.loads((folder / "stages.json").read_text())
        except OSError:
            raise TerraformFailure(
                f"there is no plan in {folder}; run the same command again"
            ) from None
        plan = Plan(
            tuple(Change(*change) for change in content["changes"]), tuple(content["outputs"])
        )
        ordered = [Stage(tuple(p), tuple(targets)) for p, targets in content["stages"]]
        done = [stage for stage in ordered if list(stage.phases) in content["done"]]
        return cls(plan, ordered, done)


def difference(plan: Plan) -> list[dict[str, str]]:
    """The changes as Ansible's --diff shows them, one entry a resource."""
    entries = []
    for change in plan.changes:
        before = "".join(f"{a.name}: {json.dumps(a.before)}\n" for a in change.attributes)
        after = "".join(f"{a.name}: {json.dumps(a.after)}\n" for a in change.attributes)
        if not change.attributes:
            before = "" if change.action == "create" else "present\n"
            after = "present\n" if change.action == "create" else ""
        header = f"{change.address} ({change.action})"
        entries.append(
            {"before_header": header, "after_header": header, "before": before, "after": after}
        )
    return entries


def remove_forgotten(data_dir: Path) -> None:
    """Remove plans that runs which were killed have left: they hold secrets."""
    for folder in data_dir.glob(f"{PREFIX}*"):
        if time.time() - folder.stat().st_mtime > FORGOTTEN_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def run(module: Any) -> None:
    """Do what the module's parameters say and leave the module."""
    try:
        action = module.params["action"]
        stack = Stack(module.params, check_mode=module.check_mode or action == "drift")
        destruction = Destruction(stack)
        actions: dict[str, Callable[[], dict[str, Any]]] = {
            "plan": stack.plan,
            "apply": stack.apply,
            "mark": stack.mark,
            "drift": stack.drift,
            "lift": destruction.lift,
            "destroy": destruction.destroy,
        }
        result = actions[action]()
    except (TerraformFailure, PlanRefused, AwsFailure) as failure:
        reasons = [str(failure), *getattr(failure, "errors", [])[1:]]
        module.fail_json(msg=str(failure), verdict=FAILED, reasons=reasons)
    else:
        if result.pop("failed", False):
            module.fail_json(**result)
        module.exit_json(**result)
