"""Metric and composite alarms: kept, validated, and in the state that `watching` puts them into.

A composite alarm follows its children, as on AWS.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.cloud import Cloud
from localcloud.services.cloudwatch.expressions import Expression, UnsupportedError
from localcloud.services.cloudwatch.rule import AlarmRule, InvalidRuleError
from localcloud.services.cloudwatch.validation import (
    SERVICE,
    check_actions,
    check_metric_alarm,
    invalid,
)

STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")
FIRST_REASON = "Unchecked: Initial alarm creation"
_ACTIONS = ("OKActions", "AlarmActions", "InsufficientDataActions")


@dataclass
class Alarm:
    """One alarm. moto and ECS read names, state, actions and metric from it too."""

    name: str
    alarm_arn: str
    params: dict[str, Any]
    put: datetime
    updated: datetime
    changed: datetime
    rule: AlarmRule | None = None
    state_value: str = "INSUFFICIENT_DATA"
    reason: str = FIRST_REASON
    reason_data: str | None = None
    actions_enabled: bool = True

    @property
    def alarm_actions(self) -> list[str]:
        """Actions on ALARM."""
        return list(self.params.get("AlarmActions") or [])

    def enter(self, state: str, reason: str, now: datetime, data: str | None = None) -> None:
        """Go into a state."""
        if state != self.state_value:
            self.changed = now
        self.state_value, self.reason, self.reason_data, self.updated = state, reason, data, now

    def shape(self) -> dict[str, Any]:
        """As DescribeAlarms has it."""
        params = {key: value for key, value in self.params.items() if key != "Tags"}
        for member in _ACTIONS:
            params.setdefault(member, [])
        if self.rule is None:
            params.setdefault("Dimensions", [])
        shape = params | {
            "AlarmArn": self.alarm_arn,
            "ActionsEnabled": self.actions_enabled,
            "StateValue": self.state_value,
            "StateReason": self.reason,
            "StateUpdatedTimestamp": self.updated,
            "StateTransitionedTimestamp": self.changed,
            "AlarmConfigurationUpdatedTimestamp": self.put,
        }
        return shape | ({"StateReasonData": self.reason_data} if self.reason_data else {})


class Alarms:
    """The operations on alarms; they are kept where moto keeps its own."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def put_metric_alarm(self, call: Call) -> None:
        """PutMetricAlarm. Raises ValidationError; NotReproducedError for what is not kept."""
        check_metric_alarm(call.params, call.region)
        for query in call.params.get("Metrics") or []:
            try:
                Expression(query.get("Expression") or "0")
            except UnsupportedError as error:
                raise NotReproducedError(SERVICE, f"metric math: {error}") from error
        self._put(call, None)

    def put_composite_alarm(self, call: Call) -> None:
        """PutCompositeAlarm. Raises ValidationError for a rule that cannot be read or names
        alarms that do not exist.
        """
        for member in ("ActionsSuppressor", "ActionConfiguration"):
            if call.params.get(member):
                raise NotReproducedError(SERVICE, f"composite alarms with {member}")
        try:
            rule = AlarmRule(call.params["AlarmRule"])
        except InvalidRuleError as error:
            raise invalid(f"Error parsing the AlarmRule: {error}") from error
        known = self._known(call.region)
        unknown = [name for name in rule.children if name not in known]
        if unknown:
            raise invalid(f"Could not save the composite alarm as alarms {unknown} do not exist")
        check_actions(call.params, call.region)
        self._put(call, rule)
        self._follow(call.region, call.params["AlarmName"])

    def describe_alarms(self, call: Call) -> Mapping[str, Any]:
        """DescribeAlarms; without AlarmTypes it speaks of metric alarms only."""
        for member in ("ChildrenOfAlarmName", "ParentsOfAlarmName"):
            if call.params.get(member):
                raise NotReproducedError(SERVICE, f"DescribeAlarms with {member}")
        start = int(call.params.get("NextToken") or 0)
        most = call.params.get("MaxRecords") or 50
        wanted = call.params.get("AlarmTypes") or ["MetricAlarm"]
        found = [a for a in self._matching(call) if _type_of(a) in wanted]
        page = found[start : start + most]
        answer: dict[str, Any] = {
            "MetricAlarms": [a.shape() for a in page if _type_of(a) == "MetricAlarm"],
            "CompositeAlarms": [a.shape() for a in page if _type_of(a) == "CompositeAlarm"],
        }
        if start + most < len(found):
            answer["NextToken"] = str(start + most)
        return answer

    def describe_alarms_for_metric(self, call: Call) -> Mapping[str, Any]:
        """DescribeAlarmsForMetric: alarms on exactly that metric, none of metric math."""

        def dimensions(params: Mapping[str, Any]) -> set[tuple[str, str]]:
            return {(d["Name"], d["Value"]) for d in params.get("Dimensions") or []}

        return {
            "MetricAlarms": [
                alarm.shape()
                for alarm in self._alarms(call.region)
                if all(
                    alarm.params.get(m) == call.params[m]
                    for m in ("Namespace", "MetricName", "Statistic", "Period")
                    if m in call.params
                )
                and dimensions(alarm.params) == dimensions(call.params)
            ]
        }

    def delete_alarms(self, call: Call) -> None:
        """DeleteAlarms: all or none. Raises ResourceNotFound; ValidationError for an alarm that a
        composite alarm still speaks of, or for two composite alarms at once.
        """
        known, names = self._known(call.region), set(call.params["AlarmNames"])
        if missing := sorted(names - set(known)):
            raise AwsError("ResourceNotFound", f"Alarms {missing} do not exist", status=404)
        composites = [n for n in names if isinstance(known[n], Alarm) and known[n].rule]
        if len(composites) > 1:
            raise invalid("One call can delete one composite alarm at most.")
        for parent in self._alarms(call.region):
            if parent.rule and parent.name not in names and names & set(parent.rule.children):
                raise invalid(
                    f"Cannot delete {sorted(names & set(parent.rule.children))} as there are"
                    f" composite alarm(s) depending on it: {parent.name}"
                )
        tagger = self._cloud.backend(SERVICE, call.region).tagger
        for name in names:
            tagger.delete_all_tags_for_resource(known.pop(name).alarm_arn)

    def set_alarm_state(self, call: Call) -> None:
        """SetAlarmState; composite alarms above it follow. Raises ResourceNotFound."""
        alarm = self._known(call.region).get(call.params["AlarmName"])
        if not isinstance(alarm, Alarm):
            raise AwsError("ResourceNotFound", "There is no such alarm", status=404)
        if call.params["StateValue"] not in STATES:
            raise invalid(f"StateValue must be one of {', '.join(STATES)}.")
        alarm.enter(
            call.params["StateValue"],
            call.params["StateReason"],
            self._cloud.clock.now(),
            call.params.get("StateReasonData"),
        )
        self._parents_follow(call.region, alarm.name, ())

    def put_managed(self, call: Call, params: dict[str, Any]) -> Alarm:
        """Put an alarm that another service keeps for itself: its actions are that service's."""
        self._put(replace(call, params=params), None)
        alarm: Alarm = self._known(call.region)[params["AlarmName"]]
        return alarm

    def remove_managed(self, region: str, name: str) -> None:
        """Remove such an alarm, if it is there."""
        self._known(region).pop(name, None)

    def find(self, name: str) -> Alarm | None:
        """The alarm of this name in the cloud's own region."""
        alarm = self._known(self._cloud.settings.region).get(name)
        return alarm if isinstance(alarm, Alarm) else None

    def metric_alarms(self) -> Iterator[tuple[str, Alarm]]:
        """Every region's metric alarms, each with its region."""
        account = cloudwatch_backends[self._cloud.settings.account_id]
        for region, backend in list(account.items()):
            for alarm in list(backend.alarms.values()):
                if isinstance(alarm, Alarm) and alarm.rule is None:
                    yield region, alarm

    def enter(self, region: str, alarm: Alarm, state: str, reason: str) -> list[Alarm]:
        """Put a metric alarm into a state; return it and the composite alarms that changed with it."""
        before = {other.name: other.state_value for other in self._alarms(region)}
        alarm.enter(state, reason, self._cloud.clock.now())
        self._parents_follow(region, alarm.name, ())
        return [a for a in self._alarms(region) if a.state_value != before[a.name]]

    def _known(self, region: str) -> dict[str, Any]:
        alarms: dict[str, Any] = self._cloud.backend(SERVICE, region).alarms
        return alarms

    def _alarms(self, region: str) -> Iterator[Alarm]:
        """Ours; what moto may have put is not shown."""
        return (alarm for alarm in self._known(region).values() if isinstance(alarm, Alarm))

    def _matching(self, call: Call) -> list[Alarm]:
        params = call.params
        names, prefix = params.get("AlarmNames"), params.get("AlarmNamePrefix")
        if names and prefix:
            raise invalid("AlarmNames and AlarmNamePrefix exclude each other.")
        return [
            alarm
            for alarm in self._alarms(call.region)
            if (not names or alarm.name in names)
            and (not prefix or alarm.name.startswith(prefix))
            and params.get("StateValue") in (None, "", alarm.state_value)
            and any(
                a.startswith(params.get("ActionPrefix") or "") for a in alarm.alarm_actions or [""]
            )
        ]

    def _put(self, call: Call, rule: AlarmRule | None) -> None:
        """Keep the alarm; one that exists keeps its state, and its tags."""
        now = self._cloud.clock.now()
        name, known = call.params["AlarmName"], self._known(call.region)
        before = known.get(name)
        if isinstance(before, Alarm) and bool(before.rule) != bool(rule):
            raise invalid(f"There is an alarm of the other type with the name {name}")
        arn = f"arn:aws:cloudwatch:{call.region}:{call.account}:alarm:{name}"
        alarm = Alarm(name, arn, dict(call.params), put=now, updated=now, changed=now, rule=rule)
        alarm.actions_enabled = call.params.get("ActionsEnabled", True)
        if isinstance(before, Alarm):
            alarm.state_value, alarm.reason = before.state_value, before.reason
            alarm.updated, alarm.changed = before.updated, before.changed
        elif call.params.get("Tags"):
            self._cloud.backend(SERVICE, call.region).tagger.tag_resource(arn, call.params["Tags"])
        known[name] = alarm

    def _follow(self, region: str, name: str) -> None:
        """Put a composite alarm into the state that its rule gives."""
        alarm = self._known(region)[name]
        states = {child.name: child.state_value for child in self._alarms(region)}
        state = "ALARM" if alarm.rule.holds(states) else "OK"
        if state != alarm.state_value:
            alarm.enter(state, f"{alarm.alarm_arn} follows its rule", self._cloud.clock.now())

    def _parents_follow(self, region: str, name: str, above: tuple[str, ...]) -> None:
        """Evaluate what speaks of `name`, upwards; AWS too stops where the alarms form a circle."""
        for parent in list(self._alarms(region)):
            if parent.rule and name in parent.rule.children and parent.name not in above:
                self._follow(region, parent.name)
                self._parents_follow(region, parent.name, (*above, name))


def _type_of(alarm: Alarm) -> str:
    return "CompositeAlarm" if alarm.rule else "MetricAlarm"
