"""The operations of services, service deployments and service revisions.

Shapes and errors follow
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.services.ecs import revisions, service_requests, service_shapes
from localcloud.services.ecs.service_engine import ServiceEngine
from localcloud.services.ecs.service_model import Service, ServiceDeployment
from localcloud.services.ecs.service_requests import invalid
from localcloud.services.ecs.store import Cluster, EcsBase, Tags

Answer = dict[str, Any]
_MOST_DESCRIBED_SERVICES = 10
_MOST_DESCRIBED_DEPLOYMENTS = 20


class EcsServicesApi(EcsBase):
    """The services half of the ECS API; :meth:`start_services` first."""

    services: ServiceEngine

    def start_services(self, cloud_time: Callable[[], float] | None = None) -> None:
        """Begin to keep services, once ``cloud``, ``store`` and ``engine`` are set.

        ``cloud_time`` gives cloud seconds; default: the monotonic clock at the cloud's speed.
        """
        self.services = ServiceEngine(self.cloud, self.store, self.engine, cloud_time)
        self.store.count_services = self._count_services
        self.store.uses_task_definition = self._uses_task_definition
        self.store.taggable["service"] = self._tags_of
        self._let_autoscaling_find_services()
        self.services.start()

    def _let_autoscaling_find_services(self) -> None:
        """moto's RegisterScalableTarget looks for the service in moto's ECS: answer it from ours."""

        def describe_services(cluster: str, names: list[str]) -> tuple[list[Service], list[str]]:
            found = self.store.find_cluster(cluster)
            services = [self._find(found, name) for name in names] if found else []
            return [s for s in services if s is not None and s.status == "ACTIVE"], []

        self.cloud.backend("ecs").describe_services = describe_services

    # -- services ------------------------------------------------------------------------------

    def create_service(self, call: Call) -> Answer:
        """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html."""
        params = call.params
        service_requests.refuse_unreproduced(params)
        cluster = self.store.cluster(params.get("cluster"))
        name = params["serviceName"]
        service_requests.check_name(name)
        existing = self._find(cluster, name)
        if existing is not None and existing.status != "INACTIVE":
            return self._create_again(existing, params)
        if not params.get("taskDefinition"):
            raise invalid("TaskDefinition can not be blank.")
        desired = params.get("desiredCount")
        if desired is None or desired < 0:
            raise invalid("The desired count must be 0 or more.")
        definition = self.store.runnable_task_definition(params["taskDefinition"])
        now = self.cloud.clock.now()
        config: dict[str, Any] = {
            "taskDefinition": definition.arn,
            **service_requests.launch_members(params, cluster),
            "platformVersion": "LATEST",
            "platformFamily": "Linux",
            "deploymentController": {"type": "ECS"},
            "schedulingStrategy": "REPLICA",
            "deploymentConfiguration": service_requests.deployment_configuration(
                params.get("deploymentConfiguration")
            ),
            "enableECSManagedTags": False,
            "enableExecuteCommand": False,
            "propagateTags": "NONE",
            "availabilityZoneRebalancing": "ENABLED",
            "healthCheckGracePeriodSeconds": 0,
            "createdBy": f"arn:aws:iam::{self.store.account_id}:root",
            **{m: params[m] for m in service_requests.PLAIN_MEMBERS if params.get(m) is not None},
        }
        self._check(config)
        service = Service(
            arn=self.store.arn("service", f"{cluster.name}/{name}"),
            name=name,
            cluster_arn=cluster.arn,
            cluster_name=cluster.name,
            config=config,
            desired_count=desired,
            created_at=now,
            tags=list(params.get("tags") or ()),
            client_token=params.get("clientToken"),
        )
        self.services.add(service)
        return {"service": service_shapes.service_shape(service, tags=True)}

    def _create_again(self, existing: Service, params: dict[str, Any]) -> Answer:
        token = params.get("clientToken")
        if token and token == existing.client_token:
            return {"service": service_shapes.service_shape(existing, tags=True)}
        if existing.status == "DRAINING":
            raise invalid("Unable to Start a service that is still Draining.")
        raise invalid("Creation of service was not idempotent.")

    def update_service(self, call: Call) -> Answer:
        """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html."""
        params = call.params
        service_requests.refuse_unreproduced(params)
        service = self._service(params.get("cluster"), params["service"], active=True)
        config = dict(service.config)
        if params.get("taskDefinition"):
            definition = self.store.runnable_task_definition(params["taskDefinition"])
            config["taskDefinition"] = definition.arn
        members = (*service_requests.PLAIN_MEMBERS, "capacityProviderStrategy")
        config.update({m: params[m] for m in members if params.get(m) is not None})
        if params.get("capacityProviderStrategy"):
            config.pop("launchType", None)
        config["deploymentConfiguration"] = service_requests.deployment_configuration(
            params.get("deploymentConfiguration"), config["deploymentConfiguration"]
        )
        desired = params.get("desiredCount")
        if desired is not None and desired < 0:
            raise invalid("The desired count must be 0 or more.")
        deploys = bool(params.get("forceNewDeployment")) or any(
            config.get(member) != service.config.get(member)
            for member in service_requests.DEPLOYING_MEMBERS
        )
        # Scaling alone is never refused for what the service has been for long.
        if deploys or params.get("deploymentConfiguration"):
            self._check(config)
        service.config = config
        if deploys:
            self.services.redeploy(service, desired)
        elif desired is not None:
            self.services.set_desired_count(service, desired)
        return {"service": service_shapes.service_shape(service, tags=False)}

    def _check(self, config: dict[str, Any]) -> None:
        definition = self.store.task_definition(config["taskDefinition"])
        service_requests.check_network(definition, config.get("networkConfiguration"))
        service_requests.check_load_balancers(
            config.get("loadBalancers") or [],
            definition,
            config["deploymentConfiguration"]["strategy"],
            self._known_target_groups(),
        )

    def _known_target_groups(self) -> Sequence[str] | None:
        """ARNs of all target groups; the control plane of load balancers is moto's."""
        groups = self.cloud.backend("elbv2").target_groups
        return list(groups)

    def delete_service(self, call: Call) -> Answer:
        """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html."""
        service = self._service(call.params.get("cluster"), call.params["service"], active=True)
        if service.desired_count > 0 and not call.params.get("force"):
            raise invalid("The service cannot be stopped while it is scaled above 0.")
        self.services.delete(service)
        return {"service": service_shapes.service_shape(service, tags=False)}

    def describe_services(self, call: Call) -> Answer:
        """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html."""
        names = call.params["services"]
        if not names:
            raise invalid("Services cannot be empty.")
        if len(names) > _MOST_DESCRIBED_SERVICES:
            raise invalid("Services cannot have more than 10 elements.")
        cluster = self.store.cluster(call.params.get("cluster"))
        tags = "TAGS" in (call.params.get("include") or ())
        found, failures = [], []
        for name in names:
            service = self._find(cluster, name)
            if service is not None:
                found.append(service_shapes.service_shape(service, tags=tags))
            else:
                arn = name
                if not name.startswith("arn:"):
                    arn = self.store.arn("service", f"{cluster.name}/{name}")
                failures.append({"arn": arn, "reason": "MISSING"})
        return {"services": found, "failures": failures}

    def list_services(self, call: Call) -> Answer:
        """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServices.html."""
        params = call.params
        cluster = self.store.cluster(params.get("cluster"))
        arns = [
            service.arn
            for service in self.services.services.values()
            if service.cluster_arn == cluster.arn
            and service.status == "ACTIVE"
            and params.get("launchType") in (None, service.config.get("launchType"))
            and params.get("schedulingStrategy") in (None, "REPLICA")
            and params.get("resourceManagementType") in (None, "CUSTOMER")
        ]
        return _page("serviceArns", arns, params, default=10)

    def list_services_by_namespace(self, _call: Call) -> Answer:
        """Cloud Map namespaces are not reproduced."""
        raise NotReproducedError("ecs", "ListServicesByNamespace")

    # -- service deployments -------------------------------------------------------------------

    def list_service_deployments(self, call: Call) -> Answer:
        """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServiceDeployments.html."""
        params = call.params
        service = self._service(params.get("cluster"), params["service"])
        statuses = params.get("status")
        window = params.get("createdAt") or {}
        before, after = _aware(window.get("before")), _aware(window.get("after"))
        briefs = [
            service_shapes.brief_shape(service, deployment)
            for deployment in reversed(service.deployments)
            if (not statuses or deployment.status in statuses)
            and (before is None or deployment.created_at < before)
            and (after is None or deployment.created_at > after)
        ]
        return _page("serviceDeployments", briefs, params, default=20)

    def describe_service_deployments(self, call: Call) -> Answer:
        """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceDeployments.html."""
        arns = call.params["serviceDeploymentArns"]
        if len(arns) > _MOST_DESCRIBED_DEPLOYMENTS:
            raise invalid("You can specify a maximum of 20 service deployment ARNs.")
        shapes, failures = [], []
        for arn in arns:
            found = self._find_deployment(arn)
            if found is None:
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                shapes.append(service_shapes.deployment_shape(*found))
        return {"serviceDeployments": shapes, "failures": failures}

    def describe_service_revisions(self, call: Call) -> Answer:
        """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceRevisions.html."""
        arns = call.params["serviceRevisionArns"]
        if len(arns) > _MOST_DESCRIBED_DEPLOYMENTS:
            raise invalid("You can specify a maximum of 20 service revision ARNs.")
        known = {
            revision.arn: (service, revision)
            for service in self.services.services.values()
            for revision in service.revisions.values()
        }
        return {
            "serviceRevisions": [revisions.shape(*known[arn]) for arn in arns if arn in known],
            "failures": [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in known],
        }

    def stop_service_deployment(self, call: Call) -> Answer:
        """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopServiceDeployment.html.

        ROLLBACK is the one stop type that AWS documents; ABORT stands in the model only and is
        refused.
        """
        if call.params.get("stopType", "ROLLBACK") != "ROLLBACK":
            raise NotReproducedError("ecs", "the stop type ABORT")
        _, deployment = self._deployment(call.params["serviceDeploymentArn"])
        self.services.request_rollback(deployment)
        return {"serviceDeploymentArn": deployment.arn}

    def continue_service_deployment(self, call: Call) -> Answer:
        """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContinueServiceDeployment.html."""
        _, deployment = self._deployment(call.params["serviceDeploymentArn"])
        hook = next((h for h in deployment.hooks if h.hook_id == call.params["hookId"]), None)
        if hook is None:
            raise invalid(f"The lifecycle hook {call.params['hookId']} was not found.")
        if not deployment.ongoing or hook.status != "AWAITING_ACTION":
            raise invalid(f"The lifecycle hook {hook.hook_id} is not awaiting an action.")
        self.services.answer_hook(deployment, hook, call.params.get("action", "CONTINUE"))
        return {"serviceDeploymentArn": deployment.arn}

    # -- for other parts -----------------------------------------------------------------------

    def set_desired_count(self, service_arn: str, count: int) -> None:
        """Scale a service, as Application Auto Scaling does between its minimum and maximum.

        Raises ``ServiceNotFoundException``, ``ServiceNotActiveException``.
        """
        service = self.services.services.get(service_arn)
        if service is None:
            raise AwsError("ServiceNotFoundException", "Service not found.")
        if service.status != "ACTIVE":
            raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
        self.services.set_desired_count(service, count)

    # -- finding -------------------------------------------------------------------------------

    def _find(self, cluster: Cluster, ref: str) -> Service | None:
        arn = ref if ref.startswith("arn:") else self.store.arn("service", f"{cluster.name}/{ref}")
        service = self.services.services.get(arn)
        return service if service is not None and service.cluster_arn == cluster.arn else None

    def _service(self, cluster_ref: str | None, ref: str, *, active: bool = False) -> Service:
        """Raises ``ServiceNotFoundException``, and ``ServiceNotActiveException`` if asked for."""
        service = self._find(self.store.cluster(cluster_ref), ref)
        if service is None:
            raise AwsError("ServiceNotFoundException", "Service not found.")
        if active and service.status != "ACTIVE":
            raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
        return service

    def _find_deployment(self, arn: str) -> tuple[Service, ServiceDeployment] | None:
        """Those of a deleted service are deleted with it."""
        for service in self.services.services.values():
            if service.status == "ACTIVE":
                for deployment in service.deployments:
                    if deployment.arn == arn:
                        return service, deployment
        return None

    def _deployment(self, arn: str) -> tuple[Service, ServiceDeployment]:
        found = self._find_deployment(arn)
        if found is None:
            raise AwsError("ServiceDeploymentNotFoundException", "Service deployment not found.")
        return found

    # -- hooks of the store --------------------------------------------------------------------

    def _count_services(self, cluster_arn: str) -> int:
        return sum(
            service.cluster_arn == cluster_arn and service.status != "INACTIVE"
            for service in self.services.services.values()
        )

    def _uses_task_definition(self, arn: str) -> bool:
        return any(
            service.status != "INACTIVE"
            and any(
                revision.task_definition_arn == arn
                and (number == service.primary or service.records_of(number))
                for number, revision in service.revisions.items()
            )
            for service in self.services.services.values()
        )

    def _tags_of(self, arn: str) -> Tags | None:
        service = self.services.services.get(arn)
        return service.tags if service is not None and service.status == "ACTIVE" else None


def _page(member: str, items: Sequence[Any], params: dict[str, Any], *, default: int) -> Answer:
    """One page of a listing; the token is the place to go on from."""
    size = params.get("maxResults") or default
    if not 1 <= size <= 100:
        raise invalid("maxResults must be between 1 and 100.")
    token = params.get("nextToken") or "0"
    if not token.isdecimal():
        raise invalid("Invalid token.")
    start = int(token)
    answer: Answer = {member: list(items[start : start + size])}
    if start + size < len(items):
        answer["nextToken"] = str(start + size)
    return answer


def _aware(moment: datetime | None) -> datetime | None:
    """A time stamp of a request; botocore's parser gives those without a zone in UTC."""
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=UTC)
