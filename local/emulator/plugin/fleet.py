"""What is deployed of machines, load balancers and entries, in one answer: what
the program that plays them asks for several times a second."""

import base64

from moto.autoscaling.models import autoscaling_backends
from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends

from . import groups, models


# deployment counts the deployments that the CDK CLI has completed.
deployment = 0
# regions are those of the last one, the nearest first.
regions: list[str] = []


def fleet(_):
    return {
        "deployment": deployment,
        "regions": regions,
        "instances": list(instances()),
        "loadBalancers": list(load_balancers()),
        "endpointGroups": [
            {
                "region": r.properties["EndpointGroupRegion"],
                "loadBalancers": [c["EndpointId"] for c in r.properties.get("EndpointConfigurations", [])],
            }
            for r in list(models.accepted.values())
            if r.resource_type == "AWS::GlobalAccelerator::EndpointGroup"
        ],
    }


def backends(all_backends):
    for account, by_region in list(all_backends.items()):
        for region, backend in list(by_region.items()):
            yield account, region, backend


def instances():
    for account, region, backend in backends(autoscaling_backends):
        for group in list(backend.autoscaling_groups.values()):
            for state in list(group.instance_states):
                instance = state.instance
                yield {
                    "id": instance.id,
                    "account": account,
                    "region": region,
                    "zone": instance.placement.zone,
                    "type": groups.launched_type(instance),
                    "group": group.name,
                    "role": role_arn(account, group),
                    "userData": base64.b64decode(str(instance.user_data or "")).decode(),
                }


def role_arn(account, group):
    """The role of the launch template's instance profile."""
    version = group.ec2_launch_template.get_version(group.launch_template_version)
    profile_arn = version.data.get("IamInstanceProfile", {}).get("Arn")
    if not profile_arn:
        return ""
    return iam_backends[account]["aws"].get_instance_profile_by_arn(profile_arn).roles[0].arn


def load_balancers():
    for _, region, backend in backends(elbv2_backends):
        for balancer in list(backend.load_balancers.values()):
            for group in list(backend.target_groups.values()):
                if balancer.arn in group.load_balancer_arns:
                    yield {
                        "arn": balancer.arn,
                        "region": region,
                        "targets": list(group.targets),
                        "path": group.health_check_path,
                        "status": group.matcher["HttpCode"],
                        "interval": int(group.health_check_interval_seconds),
                        "timeout": int(group.health_check_timeout_seconds),
                        "healthyAfter": int(group.healthy_threshold_count),
                        "unhealthyAfter": int(group.unhealthy_threshold_count),
                        "deregistrationDelay": int(group.attributes["deregistration_delay.timeout_seconds"]),
                    }
