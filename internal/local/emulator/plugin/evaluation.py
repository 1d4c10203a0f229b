"""Alarms, evaluated in each minute as far as templates use them (rule R14): single
metrics and metric math, M of N, missing data, and composite alarms.

Sources: Amazon CloudWatch User Guide, "Alarm evaluation", "Configuring how CloudWatch
alarms treat missing data", "Alarm evaluation window", "Using math expressions with
CloudWatch metrics" and "Create a composite alarm".
"""

import ast
import bisect
import math
import operator
import re
from datetime import datetime, timezone
from typing import Any

from dateutil import parser as dates
from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import CloudWatchBackend, cloudwatch_backends

from . import patches, policies
from .clock import clock

# AFTER is how many seconds after a minute alarms are evaluated: its metrics are there.
AFTER = 20

# KEPT is how many seconds of a metric's points are kept for alarms, and BEYOND how many
# further periods are looked at when points are missing.
KEPT, BEYOND = 7 * 3600, 2

# PRODUCED are the metrics that something here produces: usage.py, buckets.py, throttles.py, lags.py,
# and the functions by what they print. Alarms on others see no point, ever.
PRODUCED = {
    ("AWS/EC2", "CPUUtilization"),
    ("AWS/AutoScaling", "GroupInServiceInstances"),
    ("AWS/AutoScaling", "GroupDesiredCapacity"),
    ("AWS/AutoScaling", "GroupMinSize"),
    ("AWS/AutoScaling", "GroupMaxSize"),
    ("AWS/ApplicationELB", "RequestCount"),
    ("AWS/ApplicationELB", "RequestCountPerTarget"),
    ("AWS/ApplicationELB", "HealthyHostCount"),
    ("AWS/ApplicationELB", "UnHealthyHostCount"),
    ("AWS/ApplicationELB", "TargetResponseTime"),
    ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count"),
    ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count"),
    ("AWS/ApplicationELB", "HTTPCode_ELB_500_Count"),
    ("AWS/ApplicationELB", "HTTPCode_ELB_502_Count"),
    ("AWS/ApplicationELB", "HTTPCode_ELB_503_Count"),
    ("AWS/ApplicationELB", "HTTPCode_ELB_504_Count"),
    ("AWS/DynamoDB", "ReadThrottleEvents"),
    ("AWS/DynamoDB", "ReplicationLatency"),
    ("AWS/DynamoDB", "WriteThrottleEvents"),
    ("AWS/S3", "ReplicationLatency"),
    ("AWS/S3", "OperationsFailedReplication"),
    ("Archipelago", "Failing"),
    ("Archipelago", "Unknown"),
    ("Archipelago", "ReplicationAge"),
    ("Archipelago", "Rung"),
    ("Archipelago", "HotAtTheTop"),
    ("Archipelago", "StepFailed"),
}

# _points are the last points of each metric, by their time: when, value, how often.
_points: dict[tuple, list[tuple[float, float, float]]] = {}

# MAX_METRICS is how many metrics an alarm may be of.
MAX_METRICS = 10

_put_alarm = CloudWatchBackend.put_metric_alarm
_put_data = CloudWatchBackend.put_metric_data


def install():
    patches.replace(CloudWatchBackend, put_metric_alarm=put_metric_alarm, put_metric_data=put_metric_data)
    clock.every(60, lambda: clock.call_later(AFTER, evaluate_all))


def put_metric_alarm(self, name, **arguments):
    """A new alarm knows nothing; moto has it OK. Rule R48: it is of so many metrics at most."""
    metrics = [q for q in arguments.get("metric_data_queries") or [] if (q.get("MetricStat") if isinstance(q, dict) else q.metric_stat)]
    if len(metrics) > MAX_METRICS:
        raise ValidationError(f"The alarm {name} is of {len(metrics)} metrics, and may be of {MAX_METRICS}")
    before = self.alarms.get(name)
    alarm = _put_alarm(self, name=name, **arguments)
    alarm.state_value = before.state_value if before else "INSUFFICIENT_DATA"
    return alarm


def put_metric_data(self, namespace, metric_data):
    _put_data(self, namespace, metric_data)
    for datum in metric_data:
        if "StatisticValues" not in datum:
            values = datum.get("Values") or [datum.get("Value", 0)]
            record(self, namespace, datum, zip(values, datum.get("Counts") or [1] * len(values)))


def record(backend, namespace, datum, values):
    """Keep values, and how often each was, for the alarms."""
    key = key_of(backend.account_id, backend.region_name, namespace, datum["MetricName"], datum.get("Dimensions") or [])
    at, points = seconds_of(datum.get("Timestamp")), _points.setdefault(key, [])
    of = bisect.bisect_left(points, (at + math.ulp(at),))  # the last, but for what comes late
    points[of:of] = [(at, float(value), float(count)) for value, count in values]
    del points[: bisect.bisect_left(points, (clock.seconds() - KEPT,))]


def key_of(account, region, namespace, name, dimensions):
    pairs = [(d["Name"], d["Value"]) if isinstance(d, dict) else (d.name, d.value) for d in dimensions]
    return account, region, namespace, name, frozenset(pairs)


def seconds_of(timestamp):
    if timestamp is None:
        return clock.seconds()
    if isinstance(timestamp, str):
        timestamp = dates.parse(timestamp)
    if isinstance(timestamp, datetime):
        return (timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=timezone.utc)).timestamp()
    return float(timestamp)


def evaluate_all():
    for account, regions in list(cloudwatch_backends.items()):
        for region, backend in list(regions.items()):
            every = list(backend.alarms.values())
            for alarm in [a for a in every if not a.rule] + [a for a in every if a.rule]:
                try:
                    state = composite(backend, alarm.rule) if alarm.rule else evaluate(account, region, alarm)
                except Unsupported:
                    continue  # described, as what is never evaluated
                if state and state != alarm.state_value:
                    alarm.update_state("evaluated", "{}", state)
                if alarm.state_value == "ALARM" and alarm.actions_enabled is not False:
                    for action in alarm.alarm_actions or []:
                        policies.act(account, region, action, getattr(alarm, "above", 0))
    clock.announce()


class Unsupported(ValueError):
    """What an alarm asks for is not understood here."""


def queries(alarm):
    """What an alarm looks at: dictionaries as in a template."""
    if not alarm.metric_data_queries:
        metric = {"Namespace": alarm.namespace, "MetricName": alarm.metric_name, "Dimensions": alarm.dimensions}
        stat = alarm.extended_statistic or alarm.statistic
        return [{"Id": "m", "ReturnData": True, "MetricStat": {"Metric": metric, "Period": alarm.period, "Stat": stat}}]
    return [q if isinstance(q, dict) else as_dict(q) for q in alarm.metric_data_queries]


def as_dict(query):
    """One that came by a call."""
    made: dict[str, Any] = {"Id": query.id, "Expression": query.expression, "ReturnData": query.return_data}
    if query.metric_stat:
        metric = query.metric_stat.metric
        made["MetricStat"] = {
            "Metric": {"Namespace": metric.namespace, "MetricName": metric.metric_name, "Dimensions": metric.dimensions},
            "Period": query.metric_stat.period,
            "Stat": query.metric_stat.stat,
        }
    return made


def truth(value):
    return value in (True, "true", None)


def evaluate(account, region, alarm):
    """The state that an alarm has by its metrics, or "" where it keeps its own."""
    asked = queries(alarm)
    period = max([int(q["MetricStat"]["Period"]) for q in asked if q.get("MetricStat")] + [int(alarm.period or 60)])
    needed = int(alarm.evaluation_periods)
    last = clock.seconds() // min(period, 60) * min(period, 60)  # the window slides
    slots = [last - period * i for i in range(1, needed + BEYOND + 1)]  # the newest first
    series = {
        q["Id"]: statistic(account, region, q["MetricStat"], slots, period) for q in asked if q.get("MetricStat")
    }
    returned = next(q for q in asked if truth(q.get("ReturnData")) or len(asked) == 1)
    if returned.get("Expression"):
        values = [calculate(returned["Expression"], {i: s[n] for i, s in series.items()}) for n in range(len(slots))]
    else:
        values = series[returned["Id"]]
    alarm.above = next((v for v in values if v is not None), 0) - float(alarm.threshold)
    breaches = COMPARISONS[alarm.comparison_operator]
    points = [None if v is None else breaches(v, float(alarm.threshold)) for v in values]
    treatment = alarm.treat_missing_data or "missing"
    if any(q.get("MetricStat", {}).get("Metric", {}).get("Namespace") == "AWS/DynamoDB" for q in asked) and len(asked) == 1:
        treatment = "ignore"  # whatever the alarm says
    return judge(points, needed, int(alarm.datapoints_to_alarm or needed), treatment)


COMPARISONS = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def judge(points, needed, to_alarm, treatment):
    """The state by points, the newest first: whether each breaches, or None."""
    real = [p for p in points if p is not None]
    missing = max(0, needed - len(real))
    breaching = sum(real[:needed])
    if not missing:
        return "ALARM" if breaching >= to_alarm else "OK"
    if treatment == "breaching":
        return "ALARM" if breaching + missing >= to_alarm else "OK"
    if treatment == "notBreaching" or breaching >= to_alarm:
        return "ALARM" if breaching >= to_alarm else "OK"
    if not real:
        return "" if treatment == "ignore" else "INSUFFICIENT_DATA"
    if all(real):
        return "" if treatment == "ignore" else "ALARM"
    return "OK"


def statistic(account, region, asked, slots, period):
    """The values of a metric in periods, None where there is none."""
    metric = asked["Metric"]
    key = key_of(account, region, metric["Namespace"], metric["MetricName"], metric.get("Dimensions") or [])
    kept = list(_points.get(key, ()))
    return [summed([(v, n) for _, v, n in between(kept, slot, slot + period)], asked["Stat"]) for slot in slots]


def between(points, since, until):
    """The points of a period: the others, hours of them, are not looked at, since each
    minute of a jump asks for each alarm."""
    return points[bisect.bisect_left(points, (since,)) : bisect.bisect_left(points, (until,))]


def summed(points, stat):
    points = [(v, n) for v, n in points if n > 0]
    if not points:
        return None
    count = sum(n for _, n in points)
    if stat.startswith("p"):
        rank, seen = math.ceil(count * float(stat[1:]) / 100), 0.0
        for value, n in sorted(points):
            seen += n
            if seen >= rank:
                return value
    simple = {
        "Sum": lambda: sum(v * n for v, n in points),
        "Average": lambda: sum(v * n for v, n in points) / count,
        "Minimum": lambda: min(v for v, _ in points),
        "Maximum": lambda: max(v for v, _ in points),
        "SampleCount": lambda: count,
    }
    if stat not in simple:
        raise Unsupported(f"the statistic {stat}")
    return simple[stat]()


def calculate(expression, values):
    """A math expression of one moment, None where it has no value."""
    text = re.sub(r"\bAND\b", " and ", re.sub(r"\bOR\b", " or ", expression))
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        raise Unsupported(f"the expression {expression}") from None
    return value_of(tree, values)


OPERATORS = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Eq: operator.eq,
}


def value_of(node, values):
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return float(node.value)
    if isinstance(node, ast.Name) and node.id in values:
        return values[node.id]
    if isinstance(node, ast.BoolOp):
        parts = [value_of(v, values) for v in node.values]
        if None in parts:
            return None
        return float(all(parts) if isinstance(node.op, ast.And) else any(parts))
    if isinstance(node, (ast.BinOp, ast.Compare)):
        if isinstance(node, ast.Compare):
            left, op, right = node.left, node.ops[0], node.comparators[0]
        else:
            left, op, right = node.left, node.op, node.right
        a, b, how = value_of(left, values), value_of(right, values), OPERATORS.get(type(op))
        if how is None:
            raise Unsupported(f"the operator {type(op).__name__}")
        if a is None or b is None or isinstance(op, ast.Div) and b == 0:
            return None
        return float(how(a, b))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        parts = [value_of(a, values) for a in node.args]
        if node.func.id == "FILL":
            return parts[1] if parts[0] is None else parts[0]
        if node.func.id == "IF":
            return None if parts[0] is None else parts[1] if parts[0] else parts[2]
    raise Unsupported(f"the part {ast.unparse(node)}")


STATE = re.compile(r"\b(ALARM|OK|INSUFFICIENT_DATA)\(\s*\"?([^\")]+)\"?\s*\)")


def composite(backend, rule):
    """The state of a composite alarm by its rule."""

    def holds(match):
        name = match[2].split(":alarm:")[-1].strip()
        alarm = backend.alarms.get(name)
        return str(bool(alarm) and alarm.state_value == match[1])

    text = STATE.sub(holds, rule)
    text = re.sub(r"\bAND\b", "and", re.sub(r"\bOR\b", "or", re.sub(r"\bNOT\b", "not", text)))
    text = re.sub(r"\bTRUE\b", "True", re.sub(r"\bFALSE\b", "False", text))
    if not re.fullmatch(r"(?:\s|\(|\)|and|or|not|True|False)+", text):
        raise Unsupported(f"the rule {rule}")
    return "ALARM" if eval(text.strip().replace("\n", " "), {}) else "OK"  # nothing but the words above is in it


def describe(_):
    """Every alarm with its state, and why it is never evaluated, or ""."""
    for account, regions in list(cloudwatch_backends.items()):
        for region, backend in list(regions.items()):
            for alarm in list(backend.alarms.values()):
                yield {"name": alarm.name, "region": region, "state": alarm.state_value, "never": never(account, region, backend, alarm)}


def never(account, region, backend, alarm):
    try:
        if alarm.rule:
            composite(backend, alarm.rule)
            return ""
        evaluate(account, region, alarm)
    except Unsupported as e:
        return f"not understood: {e}"
    metrics = [q["MetricStat"]["Metric"] for q in queries(alarm) if q.get("MetricStat")]
    lacking = sorted({f"{m['Namespace']} {m['MetricName']}" for m in metrics if (m["Namespace"], m["MetricName"]) not in PRODUCED})
    return f"nobody produces {', '.join(lacking)}" if lacking else ""
