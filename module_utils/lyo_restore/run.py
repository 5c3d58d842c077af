"""The module ``database_restore``: a new instance, validated, switched to; former ones released."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_progress import Progress
from ..lyo_release import schema
from ..lyo_release.verdict import FAILED
from . import decide, record, request, template
from .rds import new_name
from .request import Point, Request, RequestError
from .validate import Checked, NotUsableError
from .work import Work, rows_in_words

RESTORE, RELEASE, DISCARD, TENANT = "restore", "release", "discard", "tenant"


# The digest of a tenant's rows that are all there.
NOTHING = "nothing"


class Restorer:
    """One run of the module.

    :ivar answer: what the module returns.
    """

    def __init__(self, work: Work, *, check_mode: bool) -> None:
        self.work, self.params, self.check_mode = work, work.params, check_mode
        self.answer: dict[str, Any] = {
            "changed": False,
            "identifier": "",
            "switched": False,
            "serving": "",
            "kept": [],
            "point": "",
            "rows": {},
            "digest": "",
            "reasons": [],
            "notes": [],
            "diff": {},
        }

    def run(self) -> None:
        """Do what the action is."""
        action = self.params["action"]
        self.work.read()
        actions = {
            RESTORE: self.restore,
            RELEASE: self.release,
            DISCARD: self.discard,
            TENANT: self.tenant,
        }
        actions[action]()
        kept = self.work.record.kept
        self.answer |= {"serving": self.work.record.serving, "kept": list(kept)}

    def _say(self, text: str) -> None:
        self.answer["reasons"].append(text)

    # Restore

    def restore(self) -> None:
        """Bring the instance that was asked for about, and switch to it where that is wanted."""
        work, params = self.work, self.params
        wanted = request.asked(
            params["source"] or "",
            {name: params[name] or "" for name in ("snapshot", "time", "backup")},
            params["env"],
        )
        decision = decide.decide(work.record, work.found, wanted.key, again=params["again"])
        self.answer["notes"] += decision.notes
        if decision.serving:
            self._already(decision)
            return
        decision = self._still_the_newest(wanted, decision)
        point = None if decision.adopt else work.point(wanted)
        if self.check_mode:
            self._predict(wanted, decision, point)
            return
        work.delete(decision.delete)
        identifier = decision.adopt or self._begin(wanted, point)
        self.answer |= {"identifier": identifier, "changed": True}
        if decision.adopt:
            work.progress("adopt", f"{identifier} was begun by an earlier run: going on with it")
        self._finish(wanted, identifier)

    def _still_the_newest(self, wanted: Request, decision: decide.Decision) -> decide.Decision:
        """Go on with what a run has left for ``latest`` only while it is that: it may be weeks old."""
        if not decision.adopt or wanted.wanted != request.LATEST:
            return decision
        found = next(o for o in self.work.found if o.identifier == decision.adopt)
        try:
            newest = self.work.point(wanted)
        except RequestError:
            return decision  # it is all that there is
        told = found.tags.get(template.POINT_TAG, "")
        if not request.outdated(wanted, told, newest):
            return decision
        self.answer["notes"].append(
            f"{decision.adopt} holds {told or 'another point'}, which is not the newest any more"
        )
        return replace(decision, adopt="", delete=(*decision.delete, decision.adopt))

    def _already(self, decision: decide.Decision) -> None:
        serving = self.work.record.serving
        self.answer["identifier"] = serving
        self.answer["switched"] = True
        self._say(
            f"{serving} serves already, restored {self.work.record.restored.get('what', '')}; "
            "to restore the same once more: -e again=true"
        )
        for name in decision.delete:
            self._say(f"{name} is left of an earlier run" + self._would("deleted"))
        if decision.delete:
            self.answer["changed"] = True
            if not self.check_mode:
                self.work.delete(decision.delete)

    def _would(self, done: str) -> str:
        return f" and would be {done}" if self.check_mode else f" and was {done}"

    def _predict(self, wanted: Request, decision: decide.Decision, point: Point | None) -> None:
        work, attributes = self.work, self.work.attributes()
        self.answer["changed"] = True
        for name in decision.delete:
            self._say(f"{name} is left of an earlier run and would be deleted")
        name = decision.adopt or new_name(work.name, "r", work.now())
        if decision.adopt:
            self._say(f"{name}, begun by an earlier run {wanted.words}, would be gone on with")
        if point is not None:
            if point.backup:
                database = str(work.outputs["database"]["name"])
                operation, request_params = template.create(attributes, name, database, {})
            else:
                operation, request_params = template.restore(attributes, name, point, {})
            self.answer["point"] = point.words
            self._say(f"{point.words} would be restored into {name}")
            shown = {k: v for k, v in request_params.items() if k not in ("Tags",)}
            after = {operation: shown, "settings": template.settings(attributes)}
            self.answer["diff"] = {"before": {}, "after": after}
        self._say("it would be validated by one-off tasks of the application's image")
        if self.params["switch"]:
            self._say(
                f"the application would be switched over from {work.record.serving}, which would be "
                "kept until restore.yml -e release_old=true"
            )

    def _begin(self, wanted: Request, point: Point | None) -> str:
        assert point is not None
        tags = {
            template.RESTORE_TAG: wanted.key,
            template.POINT_TAG: point.words,
        }
        if point.backup:
            tags[template.BACKUP_TAG] = point.backup
        return self.work.begin(new_name(self.work.name, "r", self.work.now()), point, tags)

    def _finish(self, wanted: Request, identifier: str) -> None:
        work = self.work
        attributes = work.attributes()
        instance = work.instances.configure(
            identifier, template.settings(attributes), float(self.params["timeout"])
        )
        tags = decide.Found.of(instance).tags
        what = tags.get(template.POINT_TAG, wanted.words)
        self.answer["point"] = what
        if tags.get(template.BACKUP_TAG):
            work.logical().fill(work.where(instance), tags[template.BACKUP_TAG])
        checked = work.check(instance)
        self._tell(identifier, what, checked)
        self._refuse_outlived(identifier, checked)
        self._refuse_to_migrate(identifier, checked)
        if template.VALIDATED_TAG not in tags:
            at = request.written(work.now())
            work.instances.tag(str(instance["DBInstanceArn"]), template.VALIDATED_TAG, at)
        if self.params["switch"]:
            self._switch(wanted, instance, what)
        else:
            self._say(
                "not switched to; the same command with -e switch=true does, -e discard=true deletes it"
            )

    def _tell(self, identifier: str, what: str, checked: Checked) -> None:
        found = checked.schema
        self.answer["rows"] = dict(checked.rows)
        self._say(f"{identifier} was restored from {what} and can be used")
        if checked.sound:
            self._say("pg_amcheck finds it sound")
        if checked.rows:
            self._say(f"rows: {rows_in_words(checked.rows)}")
        if found is not None:
            self._say(f"schema: {found.revision or 'none'}")
            self.answer["schema"] = found.revision
            self.answer["record"] = {
                "schema": found.revision,
                "schema_serves": list(found.serves),
                "schema_contracted": list(found.contracted),
            }

    def _refuse_outlived(self, identifier: str, checked: Checked) -> None:
        """A release that the restored schema no longer serves would break behind the switch."""
        revisions = tuple(self.params["schema"])
        if self.params["switch"] and schema.outlived(revisions, checked.schema):
            why = schema.cannot_serve(self.params["release"], revisions, checked.schema)
            raise RequestError(
                f"{why}. Nothing was switched; {identifier} stays. Name a release that runs on it: "
                "the same command with -e release=<name>"
            )

    def _refuse_to_migrate(self, identifier: str, checked: Checked) -> None:
        """What destroyed the data may be a migration of the release that serves: not again unasked."""
        if not self.params["switch"] or not checked.behind or self.params["named"]:
            return
        release, at = self.params["release"], checked.schema.revision if checked.schema else ""
        would = f" ({', '.join(checked.pending)})" if checked.pending else ""
        raise RequestError(
            f"{release} would migrate it at once, from schema {at or 'none'}{would}. Nothing was switched; "
            f"{identifier} stays. Where that migration is what went wrong, name the release before it: "
            f"the same command with -e release=<name>. Where it is well: -e release={release}"
        )

    def _switch(self, wanted: Request, instance: Mapping[str, Any], what: str) -> None:
        work = self.work
        former = work.record.serving
        exists = [one.identifier for one in work.found if one.status != decide.DELETING]
        at = request.written(work.now())
        work.progress("switch", f"from {former} to {instance['DBInstanceIdentifier']}")
        work.write(
            record.switched(
                work.record,
                work.where(instance),
                exists,
                wanted.key,
                {"what": what, "switched_at": at},
            )
        )
        self.answer["switched"] = True
        self._say(f"switched over from {former} at {at}")
        if former in work.record.kept:
            self._say(
                f"{former} is kept as it is, with what was written to it after that point; "
                "restore.yml -e release_old=true deletes it"
            )

    # One tenant

    def tenant(self) -> None:
        """Show what of a tenant the live database lacks, and bring it back once that is approved."""
        work, params = self.work, self.params
        wanted = request.asked(
            request.LOGICAL, {"backup": params["backup"] or request.LATEST}, params["env"]
        )
        logical, name = work.logical(), str(params["tenant"])
        point = logical.choose(wanted)
        self.answer["point"] = point.words
        if self.check_mode:
            self._say(
                f"the rows of {name} in {point.words} would be compared with those of "
                f"{work.record.serving}; without --check that is shown, and nothing changed before approve="
            )
            return
        digest, changed, lines = logical.tenant(
            work.outputs["database"],
            point.backup,
            name,
            params["approve"] or "",
            replace=params["replace"],
        )
        self.answer |= {"digest": digest, "changed": changed}
        self.answer["reasons"] += lines
        if changed:
            self._say(
                f"{name} was brought back from {point.words}; nobody else's rows were touched"
            )
        elif digest == NOTHING:
            self._say(f"nothing of {name} is missing")
        else:
            more = " -e replace=true" if params["replace"] else ""
            self._say(
                f"nothing was changed yet. To do it: ansible-playbook restore.yml -e env={params['env']} "
                f"-e tenant={name} -e backup={point.backup}{more} -e approve={digest}"
            )

    # Former instances

    def release(self) -> None:
        """Delete the former instances, with a last snapshot where the environment takes one."""
        work = self.work
        gone = record.releasing(work.record).releasing
        if not gone:
            self._say("no former instance is kept")
            return
        self.answer["changed"] = True
        skip = bool(work.attributes().get("skip_final_snapshot"))
        for name in gone:
            final = "" if skip else new_name(name, "released-", work.now())
            last = f" after a last snapshot {final}" if final else ", without a last snapshot"
            self._say(f"{name}{' would be' if self.check_mode else ' was'} deleted{last}")
            if self.check_mode:
                continue
            # Terraform must not have it any more before it is gone, or it would make it anew.
            work.write(record.releasing(work.record))
            work.instances.delete(name, float(self.params["timeout"]), final, keep=not skip)
            work.write(record.released(work.record, name))

    def discard(self) -> None:
        """Delete what was restored and never switched to."""
        unused = tuple(o.identifier for o in decide.restores(self.work.record, self.work.found))
        if not unused:
            self._say("there is no restored instance that is not used")
            return
        self.answer["changed"] = True
        for name in unused:
            self._say(name + (" would be deleted" if self.check_mode else " was deleted"))
        if not self.check_mode:
            self.work.delete(unused)


def run(module: Any) -> None:
    """Run the module ``database_restore``."""
    params = module.params
    aws = Aws(params["aws"])
    work = Work(aws, Progress("restore", aws.secrets), params)
    finish(module, Restorer(work, check_mode=module.check_mode))


def finish(module: Any, restorer: Restorer) -> None:
    """Run to the end that the module has."""
    answer, aws = restorer.answer, restorer.work.aws
    try:
        restorer.run()
    except (RequestError, NotUsableError) as error:
        _fail(module, answer, str(error), aws.writes > 0)
    except AwsFailure as failure:
        _fail(module, answer, failure.message, aws.writes > 0)
    module.exit_json(**answer)


def _fail(module: Any, answer: dict[str, Any], why: str, changed: bool) -> None:
    answer |= {"changed": changed, "reasons": [why]}
    answer.pop("record", None)
    module.fail_json(msg=why, verdict=FAILED, **answer)
