"""Keeps the data plane at what the control plane says; target groups as other services use them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from subprocess import Popen
from typing import Any

from moto.elbv2.models import FakeAction, elbv2_backends

from localcloud.api import AwsError
from localcloud.cloud import Cloud
from localcloud.dataplane.envoy import health
from localcloud.dataplane.envoy.health import Host
from localcloud.dataplane.envoy.model import Certificate as ServedCertificate
from localcloud.dataplane.envoy.model import Configuration, Listener
from localcloud.dataplane.envoy.plane import AdminError, Plane, RejectedError
from localcloud.dataplane.envoy.traffic import Certificates, Counters, Traffic
from localcloud.ports import TargetHealth
from localcloud.services.elbv2 import translate
from localcloud.services.elbv2.moto_patches import normal
from localcloud.services.elbv2.targets import Key, Registration, Targets

log = logging.getLogger("localcloud.elbv2")

# A request may be handed to a target until every worker has heard of its deregistration.
_HANDOVER_SECONDS = 0.2
_DRAIN_POLL_SECONDS = 0.1
_IDLE_POLL_SECONDS = 1.0
_HIGHEST_ADDRESS = 254


class Balancing:
    """The load balancers of a local cloud; `cloud.parts["elbv2"]`, a `ports.TargetGroups`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        root = cloud.settings.state_dir / "envoy"
        self.plane = Plane(
            root, cloud.clock.speed, f"localcloud-{cloud.settings.number}", self._start, self._stop
        )
        self.traffic = Traffic(
            self.plane.folder.access_log,
            cloud.settings.state_dir / "access-logs",
            lambda: self.plane.admin.request("POST", "/reopen_logs"),
        )
        self.targets = Targets()
        self._addresses: dict[str, str] = {}
        self._wake = threading.Event()

    def _start(self, name: str, argv: list[str], folder: Path, output: Path) -> Popen[bytes]:
        return self._cloud.children.start(name, argv, cwd=folder, stdout=output)

    def _stop(self, process: Popen[bytes]) -> None:
        self._cloud.children.stop(process)

    def start(self) -> None:
        """Start Envoy and the thread that lets targets drain."""
        self.plane.start()
        self._cloud.background("elbv2-drain", self._drain)

    def close(self) -> None:
        """Stop Envoy."""
        self._wake.set()
        self.plane.close()

    # -- what moto keeps -----------------------------------------------------------------------

    def backends(self) -> list[Any]:
        """moto's backends of the regions that are in use."""
        return list(elbv2_backends[self._cloud.settings.account_id].values())

    def balancers(self) -> Iterator[Any]:
        """moto's load balancers of every region."""
        for backend in self.backends():
            yield from backend.load_balancers.values()

    def listeners(self) -> Iterator[Any]:
        """moto's listeners."""
        for balancer in self.balancers():
            yield from balancer.listeners.values()

    def group(self, arn: str) -> Any:
        """moto's target group. Raises AwsError TargetGroupNotFound."""
        for backend in self.backends():
            if arn in backend.target_groups:
                return backend.target_groups[arn]
        raise AwsError("TargetGroupNotFound", f"Target groups '{arn}' not found")

    def rule(self, arn: str) -> Any:
        """moto's rule by its ARN, or a listener's default rule by the listener's ARN.

        Raises AwsError RuleNotFound.
        """
        for listener in self.listeners():
            if listener.arn == arn:
                return listener.rules[0]
            for rule in listener.rules.values():
                if rule.arn == arn:
                    return rule
        raise AwsError("RuleNotFound", f"One or more rules not found: {arn}")

    def users_of_certificate(self, arn: str) -> list[str]:
        """ARNs of the load balancers that serve a certificate."""
        users = [entry.load_balancer_arn for entry in self.listeners() if arn in entry.certificates]
        return list(dict.fromkeys(users))

    def users_of_group(self, arn: str) -> list[str]:
        """ARNs of the load balancers with a rule that forwards to a target group."""
        users = [
            listener.load_balancer_arn
            for listener in self.listeners()
            for rule in listener.rules.values()
            for action in rule.actions
            if arn in translate.forward_weights(action.data)
        ]
        return list(dict.fromkeys(users))

    # -- addresses -----------------------------------------------------------------------------

    def address(self, arn: str) -> str:
        """The address of a load balancer; a new one gets the lowest that is free."""
        if arn not in self._addresses:
            taken = set(self._addresses.values())
            free = (
                address
                for index in range(1, _HIGHEST_ADDRESS + 1)
                if (address := self._cloud.addresses.load_balancer(index)) not in taken
            )
            found = next(free, None)
            if found is None:
                raise AwsError("TooManyLoadBalancers", "A local cloud has 254 load balancers.")
            self._addresses[arn] = found
        return self._addresses[arn]

    # -- the data plane ------------------------------------------------------------------------

    def refresh(self) -> None:
        """Serve what the control plane says now; returns when it is served.

        Raises AwsError InternalFailure when Envoy refuses it, which then goes on as before.
        """
        self._tidy()
        try:
            self.plane.apply(self._configuration())
        except (RejectedError, AdminError) as error:
            log.warning("the load balancers' data plane: %s", error)
            raise AwsError("InternalFailure", str(error), status=500) from error

    def _tidy(self) -> None:
        """Bring what moto leaves behind into the state AWS would show."""
        balancers = {balancer.arn for balancer in self.balancers()}
        for arn in self._addresses.keys() - balancers:
            del self._addresses[arn]
        known = set()
        for backend in self.backends():
            for group in backend.target_groups.values():
                known.add(group.arn)
                group.load_balancer_arns = self.users_of_group(group.arn)
        for arn in self.targets.groups.keys() - known:
            del self.targets.groups[arn]

    def _configuration(self) -> Configuration:
        certificates: dict[str, ServedCertificate] = {}
        balancers = [
            translate.load_balancer(
                balancer, self.address(balancer.arn), self._listeners(balancer, certificates)
            )
            for balancer in self.balancers()
        ]
        groups = [
            translate.target_group(group, self.targets.served(group.arn))
            for backend in self.backends()
            for group in backend.target_groups.values()
            if group.load_balancer_arns
        ]
        return Configuration(tuple(balancers), tuple(groups), tuple(certificates.values()))

    def _listeners(
        self, balancer: Any, certificates: dict[str, ServedCertificate]
    ) -> tuple[Listener, ...]:
        found = []
        for listener in balancer.listeners.values():
            names = []
            for arn in listener.certificates:
                name = arn.rsplit("/", 1)[-1]
                names.append(name)
                if name not in certificates:
                    kept = self._cloud.parts["acm"].find(arn)
                    certificates[name] = ServedCertificate(
                        name, arn, kept.served, kept.key.decode(), tuple(kept.names)
                    )
            found.append(translate.listener(listener, tuple(names)))
        return tuple(found)

    # -- ports.TargetGroups --------------------------------------------------------------------

    def register(self, target_group_arn: str, ip: str, port: int) -> None:
        """See `ports.TargetGroups`. Raises AwsError TargetGroupNotFound."""
        with self._cloud.lock:
            self.group(target_group_arn)
            self.targets.register(target_group_arn, ip, port)
            self.refresh()

    def deregister(self, target_group_arn: str, ip: str, port: int) -> None:
        """See `ports.TargetGroups`; nothing to do for a group or target that is not there."""
        with self._cloud.lock:
            if self.targets.deregister(target_group_arn, ip, port, time.monotonic()):
                self.refresh()
                self._wake.set()

    def health(self, target_group_arn: str) -> dict[Key, TargetHealth]:
        """See `ports.TargetGroups`; a target that has drained is gone."""
        with self._cloud.lock:
            registered = self.targets.of(target_group_arn)
            return {
                key: found
                for key, found in self.described_health(target_group_arn).items()
                if not registered[key].drained
            }

    def described_health(self, arn: str) -> dict[Key, TargetHealth]:
        """Health as DescribeTargetHealth shows it: draining until the deregistration delay is over.

        https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html
        """
        group = self.group(arn)
        entries = self.targets.of(arn)
        seen: dict[Key, TargetHealth] = {}
        if group.load_balancer_arns:
            try:
                seen = self.plane.health(translate.target_group(group, self.targets.served(arn)))
            except AdminError:
                seen = dict.fromkeys(entries, health.UNKNOWN)
        return {
            key: health.DRAINING
            if entry.leaving_since is not None
            else seen.get(key, health.NOT_IN_USE)
            for key, entry in entries.items()
        }

    def set_weights(self, rule_arn: str, weights: Mapping[str, int]) -> None:
        """See `ports.TargetGroups`; groups that are not named keep their weights.

        Raises AwsError: RuleNotFound, TargetGroupNotFound, InvalidLoadBalancerAction.
        """
        with self._cloud.lock:
            self._set_weights(rule_arn, weights)

    def _set_weights(self, rule_arn: str, weights: Mapping[str, int]) -> None:
        rule = self.rule(rule_arn)
        for arn in weights:
            self.group(arn)
        if [action.type for action in rule.actions] != ["forward"]:
            raise AwsError("InvalidLoadBalancerAction", f"The rule {rule_arn} does not forward.")
        data = dict(rule.actions[0].data)
        merged = {**translate.forward_weights(data), **weights}
        data.pop("TargetGroupArn", None)
        data["ForwardConfig"] = {
            **data.get("ForwardConfig", {}),
            "TargetGroups": [
                {"TargetGroupArn": arn, "Weight": weight} for arn, weight in merged.items()
            ],
        }
        rule.actions = [normal(FakeAction(data))]
        if rule.is_default:
            for listener in self.listeners():
                if listener.arn == rule.listener_arn:
                    listener.default_actions = rule.actions
        self.refresh()

    def weights(self, rule_arn: str) -> dict[str, int]:
        """See `ports.TargetGroups`. Raises AwsError RuleNotFound."""
        found: dict[str, int] = {}
        for action in self.rule(rule_arn).actions:
            found |= translate.forward_weights(action.data)
        return found

    def target_groups_of_rule(self, rule_arn: str) -> list[str]:
        """See `ports.TargetGroups`. Raises AwsError RuleNotFound."""
        return list(self.weights(rule_arn))

    # -- traffic -------------------------------------------------------------------------------

    def counters(self) -> Counters:
        """Requests, codes and response times since the start; ids as `translate.identifier`."""
        return self.traffic.update(self.served_certificates())

    def served_certificates(self) -> Certificates:
        """What the access log needs to tell which certificate was chosen."""
        configuration = self.plane.configuration
        served = configuration.used_certificates()
        return {
            f"{balancer.id}/{listener.port}": [
                (served[name].arn, served[name].domains) for name in listener.certificates
            ]
            for balancer in configuration.load_balancers
            for listener in balancer.listeners
            if listener.secure
        }

    # -- draining ------------------------------------------------------------------------------

    def _drain(self, stop: threading.Event) -> None:
        pause = _IDLE_POLL_SECONDS
        while not stop.is_set():
            self._wake.wait(pause)
            self._wake.clear()
            if stop.is_set():
                return
            with self._cloud.lock:
                leaving = list(self.targets.leaving())
                if leaving:
                    try:
                        if self.settle():
                            self.refresh()
                    except (AwsError, AdminError):
                        log.exception("draining")
            drains = any(not entry.drained for _, entry, _ in leaving)
            pause = _DRAIN_POLL_SECONDS if drains else _IDLE_POLL_SECONDS

    def settle(self) -> bool:
        """Note the targets that have drained, forget those whose time is up; True if any did.

        With nothing in flight deregistration is complete at once, else when the delay is over.
        """
        changed = False
        now = time.monotonic()
        hosts = self.plane.hosts()
        for arn, entry, since in list(self.targets.leaving()):
            delay = int(self.group(arn).attributes["deregistration_delay.timeout_seconds"])
            over = now - since >= self._cloud.clock.wall(delay)
            if not entry.drained and (over or self._idle(arn, entry, now - since, hosts)):
                entry.drained = changed = True
            if over:
                del self.targets.of(arn)[entry.ip, entry.port]
        return changed

    def _idle(
        self,
        arn: str,
        entry: Registration,
        age: float,
        hosts: Mapping[str, Mapping[Key, Host]],
    ) -> bool:
        name = translate.identifier(arn)
        if name not in hosts:
            return True
        if age < _HANDOVER_SECONDS:
            return False
        host = hosts[name].get((entry.ip, entry.port))
        active = self.plane.active_requests(name) if host is None else host.active_requests
        return active == 0
