"""What is deployed of machines, functions, load balancers and entries, in one
answer: what the program that runs them asks for several times a second."""

import base64

from moto.autoscaling.models import autoscaling_backends
from moto.awslambda.models import lambda_backends
from moto.cloudformation.models import cloudformation_backends
from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends

from . import entries, groups, models, refreshes, schedules, settings
from .clock import clock


# deployment counts the deployments that the CDK CLI has completed.
deployment = 0
# regions are those of the last one, the nearest first.
regions: list[str] = []
# broken are the instance types that fail at their first boot.
broken: list[str] = []
# failing are the services that answer 503, by region.
failing: dict[str, list[str]] = {}


def fleet(_):
    return {
        "deployment": deployment,
        "clock": clock.describe(),
        "regions": regions,
        "stacks": list(stacks()),
        "groups": list(auto_scaling_groups()),
        "instances": list(instances()),
        "functions": list(functions()),
        "schedules": list(schedules.schedules()),
        "loadBalancers": list(load_balancers()),
        "endpointGroups": list(entries.endpoint_groups()),
    }


def backends(all_backends):
    """Those of the regions that are not lost."""
    for account, by_region in list(all_backends.items()):
        for region, backend in list(by_region.items()):
            if not settings.lost(region):
                yield account, region, backend


def stacks():
    for _, region, backend in backends(cloudformation_backends):
        for stack in list(backend.stacks.values()):
            yield {"name": stack.name, "region": region, "status": stack.status}


def auto_scaling_groups():
    for _, region, backend in backends(autoscaling_backends):
        for group in list(backend.autoscaling_groups.values()):
            yield {
                "name": group.name,
                "region": region,
                "desired": int(group.desired_capacity or 0),
                "refreshing": refreshes.active(group) is not None,
            }


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
                    "userData": user_data(instance),
                }


def user_data(instance):
    if groups.launched_type(instance) in broken:
        return "#!/bin/bash\nexit 1\n"
    return base64.b64decode(str(instance.user_data or "")).decode()


def role_arn(account, group):
    """The role of the launch template's instance profile."""
    version = group.ec2_launch_template.get_version(group.launch_template_version)
    profile_arn = version.data.get("IamInstanceProfile", {}).get("Arn")
    if not profile_arn:
        return ""
    return iam_backends[account]["aws"].get_instance_profile_by_arn(profile_arn).roles[0].arn


def functions():
    """Those whose code is a program: CDK's own are JavaScript, and played in customs.py."""
    for _, region, backend in backends(lambda_backends):
        for function in list(backend.list_functions()):
            if (function.run_time or "").startswith("provided"):
                yield {
                    "arn": function.function_arn,
                    "name": function.function_name,
                    "region": region,
                    "role": function.role,
                    "handler": function.handler,
                    "environment": function.environment_vars,
                    "memory": int(function.memory_size),
                    "timeout": int(function.timeout),
                    "concurrency": int(function.reserved_concurrency or 0),
                    "maxEventAge": asynchronous(region, function).get("MaximumEventAgeInSeconds", 6 * 3600),
                    "retryAttempts": asynchronous(region, function).get("MaximumRetryAttempts", 2),
                    "bucket": function.code["S3Bucket"],
                    "key": function.code["S3Key"],
                }


def asynchronous(region, function):
    """How Lambda keeps a function's asynchronous events, where a template says (rule R37)."""
    for config in models.of_type("AWS::Lambda::EventInvokeConfig"):
        if config.region == region and config.properties["FunctionName"] in (function.function_name, function.function_arn):
            return config.properties
    return {}


def load_balancers():
    for _, region, backend in backends(elbv2_backends):
        for balancer in list(backend.load_balancers.values()):
            yield {
                "arn": balancer.arn,
                "region": region,
                "groups": [
                    target_group(group)
                    for group in list(backend.target_groups.values())
                    if balancer.arn in group.load_balancer_arns
                ],
                "rules": list(rules(balancer)),
                "limits": limits(balancer.arn),
                "broken": is_broken(region, balancer),
            }


# LIMITS are how many bytes of a part of a request AWS's common rules let pass. Source:
# AWS WAF Developer Guide, "Baseline rule groups".
LIMITS = {
    "SizeRestrictions_QUERYSTRING": ("query", 2048),
    "SizeRestrictions_Cookie_HEADER": ("cookies", 10240),
    "SizeRestrictions_BODY": ("body", 8192),
    "SizeRestrictions_URIPATH": ("path", 1024),
}


def limits(load_balancer):
    """Those that the web ACL of a load balancer has, and does not only count."""
    found = {}
    for association in models.of_type("AWS::WAFv2::WebACLAssociation"):
        if association.properties["ResourceArn"] != load_balancer:
            continue
        acl = models.accepted.get(association.properties["WebACLArn"])
        for rule in acl.properties["Rules"] if acl else []:
            group = rule["Statement"].get("ManagedRuleGroupStatement", {})
            if group.get("Name") != "AWSManagedRulesCommonRuleSet" or "Count" in rule["OverrideAction"]:
                continue
            counted = {o["Name"] for o in group.get("RuleActionOverrides", []) if "Count" in o["ActionToUse"]}
            found |= {part: size for name, (part, size) in LIMITS.items() if name not in counted}
    return found


def is_broken(region, balancer):
    """Whether a load balancer answers with 500 by itself (rule 8): it cannot have requests
    looked at, and may not let them pass unseen."""
    asks = any(a.properties["ResourceArn"] == balancer.arn for a in models.of_type("AWS::WAFv2::WebACLAssociation"))
    return asks and "wafv2" in failing.get(region, []) and balancer.attrs.get("waf.fail_open.enabled") != "true"


def target_group(group):
    return {
        "arn": group.arn,
        "type": group.target_type,
        "targets": list(group.targets),
        "path": group.health_check_path,
        "status": group.matcher["HttpCode"],
        "interval": int(group.health_check_interval_seconds),
        "timeout": int(group.health_check_timeout_seconds),
        "healthyAfter": int(group.healthy_threshold_count),
        "unhealthyAfter": int(group.unhealthy_threshold_count),
        "deregistrationDelay": int(group.attributes["deregistration_delay.timeout_seconds"]),
    }


def rules(balancer):
    """The listeners' rules that send requests to a target group, the default one last."""
    for listener in list(balancer.listeners.values()):
        ordered = sorted(listener.rules.values(), key=lambda r: (r.priority == "default", r.priority))
        for rule in ordered:
            for action in rule.actions:
                if action.type == "forward":
                    yield {"paths": paths(rule), "group": forward_to(action.data)}


def paths(rule):
    return [
        value
        for condition in rule.conditions
        if condition["Field"] == "path-pattern"
        for value in condition.get("PathPatternConfig", condition)["Values"]
    ]


def forward_to(action):
    """The target group of a forward action, in the shorter form or the longer one."""
    return action.get("TargetGroupArn") or action["ForwardConfig"]["TargetGroups"][0]["TargetGroupArn"]
