"""Metrics of what runs: what the local cloud measures, as the
minutes of CloudWatch, and the count of instances that follows from it."""

import json
from datetime import timedelta
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.cloudwatch.models import MetricAggregatedDatum, cloudwatch_backends
from moto.elbv2.models import elbv2_backends

from . import evaluation, groups, policies
from .clock import clock

# _reported is the minute up to which there are metrics, and _jumps how often the
# clock had jumped by then.
_reported = None
_jumps = 0
# _tracked are the last minutes of what policies track, by group and metric.
_tracked: dict[tuple[str, str], dict[str, list[float]]] = {}


def report(measured):
    """Take what was measured since the last time: {"cpu": {instance id: percent},
    "requests": {target group's ARN: how many}, "failed": {the same: how many answers of
    targets were 5xx}, "refused": {the same: {status: how many 5xx the load balancer answered
    itself}}, "times": {the same: {milliseconds: how many answers took so long}}}. What a jump
    passed over was not measured: there are metrics of the last minute only."""
    global _reported, _jumps
    measured = {what: values or {} for what, values in measured.items()}
    minute = clock.now().replace(second=0, microsecond=0)
    since, _reported = _reported or minute, max(_reported or minute, minute)
    if clock.jumps != _jumps:
        since, _jumps = max(since, minute - timedelta(minutes=1)), clock.jumps
    minutes = int((minute - since).total_seconds() // 60)
    for i in range(minutes):
        publish(since + timedelta(minutes=i), measured, minutes)


def take_printed(printed):
    """Take the metrics of a line that a function printed in CloudWatch's embedded metric
    format: {"account", "region", "line"}. They are of now: a function has the machine's
    time. Source: Amazon CloudWatch User Guide, "Specification: Embedded metric format"."""
    line = json.loads(printed["line"])
    backend = cloudwatch_backends[printed["account"]][printed["region"]]
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            dimensions = [{"Name": name, "Value": str(line[name])} for name in names]
            for metric in [m["Name"] for m in directive["Metrics"] if m["Name"] in line]:
                values = line[metric] if isinstance(line[metric], list) else [line[metric]]
                datum = {"MetricName": metric, "Dimensions": dimensions, "Values": values, "Timestamp": clock.now()}
                backend.put_metric_data(directive["Namespace"], [datum])


def publish(minute, measured, minutes):
    for account, by_region in list(autoscaling_backends.items()):
        for region, backend in list(by_region.items()):
            for group in list(backend.autoscaling_groups.values()):
                publish_group(account, region, backend, group, minute, measured, minutes)


def publish_group(account, region, backend, group, minute, measured, minutes):
    serving = group.active_instances()
    by_group = [{"Name": "AutoScalingGroupName", "Value": group.name}]
    cpu = [measured["cpu"][s.instance.id] for s in serving if s.instance.id in measured["cpu"]]
    data: list[tuple[str, str, list[dict[str, str]], Any]] = [("AWS/EC2", "CPUUtilization", by_group, cpu)]
    data.append(("AWS/AutoScaling", "GroupInServiceInstances", by_group, [len(serving)]))
    data.append(("AWS/AutoScaling", "GroupDesiredCapacity", by_group, [group.desired_capacity]))
    data.append(("AWS/AutoScaling", "GroupMinSize", by_group, [group.min_size]))
    data.append(("AWS/AutoScaling", "GroupMaxSize", by_group, [group.max_size]))
    per_target = []
    for arn in group.target_group_arns:
        requests = measured["requests"].get(arn, 0) / minutes
        backend_of_targets = elbv2_backends[account][region]
        data.extend(of_health(backend_of_targets, arn, serving))
        data.extend(of_answers(backend_of_targets, arn, measured, minutes))
        if requests:
            data.extend(of_targets(backend_of_targets, arn, requests, len(serving)))
        per_target.append(requests / max(1, len(serving)))
    cloudwatch = cloudwatch_backends[account][region]
    for namespace, name, dimensions, values in data:
        if isinstance(values, dict):  # how often each was: moto would keep all of them
            put_times(cloudwatch, namespace, name, dimensions, values, minute)
        elif values:
            datum = {"MetricName": name, "Dimensions": dimensions, "Values": values, "Timestamp": minute}
            cloudwatch.put_metric_data(namespace, [datum])
    track(backend, group, cpu, per_target)


def put_times(cloudwatch, namespace, name, dimensions, times, minute):
    datum = {"MetricName": name, "Dimensions": dimensions, "Timestamp": minute}
    evaluation.record(cloudwatch, namespace, datum, times.items())
    most, total, count = max(times), sum(t * n for t, n in times.items()), sum(times.values())
    whole = MetricAggregatedDatum(namespace, name, min(times), most, count, total, dimensions, minute)
    vars(whole)["times"] = times  # for percentiles
    cloudwatch.metric_data.append(whole)


def of_targets(backend, arn, requests, count):
    """A load balancer's metrics of a target group; AWS has none of them for a minute
    without a request."""
    of_group = {"Name": "TargetGroup", "Value": arn.rsplit(":", 1)[1]}
    yield "AWS/ApplicationELB", "RequestCountPerTarget", [of_group], [requests / max(1, count)]
    for balancer in backend.target_groups[arn].load_balancer_arns:
        of_balancer = {"Name": "LoadBalancer", "Value": balancer.split(":loadbalancer/")[1]}
        yield "AWS/ApplicationELB", "RequestCount", [of_balancer, of_group], [requests]
        yield "AWS/ApplicationELB", "RequestCount", [of_balancer], [requests]


def by_balancer(backend, arn):
    """The two dimensions that a load balancer has with one of its target groups."""
    group = backend.target_groups.get(arn)
    for balancer in group.load_balancer_arns if group else []:
        yield [
            {"Name": "LoadBalancer", "Value": balancer.split(":loadbalancer/")[1]},
            {"Name": "TargetGroup", "Value": arn.rsplit(":", 1)[1]},
        ]


def of_health(backend, arn, serving):
    """How many targets are healthy, and how many are not; new ones are neither."""
    states = [groups.health.get(s.instance.id) for s in serving]
    for dimensions in by_balancer(backend, arn):
        yield "AWS/ApplicationELB", "HealthyHostCount", dimensions, [states.count("healthy")]
        yield "AWS/ApplicationELB", "UnHealthyHostCount", dimensions, [states.count("unhealthy")]


def of_answers(backend, arn, measured, minutes):
    """Errors and times; AWS has none of them for a minute without one. They are of the
    load balancer, and of it with the target group. Of the load balancer's own errors these
    four have a metric each, and all are in another one (rule R43)."""
    failed = measured.get("failed", {}).get(arn, 0) / minutes
    refused = {int(status): n / minutes for status, n in measured.get("refused", {}).get(arn, {}).items()}
    times = {int(ms) / 1000: int(n) for ms, n in measured.get("times", {}).get(arn, {}).items()}
    for dimensions in by_balancer(backend, arn):
        for both in dimensions[:1], dimensions:
            if failed:
                yield "AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", both, [failed]
            if times:
                yield "AWS/ApplicationELB", "TargetResponseTime", both, times
        if refused:
            yield "AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", dimensions[:1], [sum(refused.values())]
        for status in refused.keys() & {500, 502, 503, 504}:
            yield "AWS/ApplicationELB", f"HTTPCode_ELB_{status}_Count", dimensions[:1], [refused[status]]


def track(backend, group, cpu, per_target):
    kept = _tracked.setdefault((group.region, group.name), {})
    if cpu:
        kept.setdefault("ASGAverageCPUUtilization", []).append(sum(cpu) / len(cpu))
    if per_target:
        kept.setdefault("ALBRequestCountPerTarget", []).append(sum(per_target))
    for values in kept.values():
        del values[: -policies.IN_AFTER]
    before = group.desired_capacity
    policies.track(backend, group, kept)
    if group.desired_capacity != before:
        kept.clear()  # what was before says nothing of the new count
