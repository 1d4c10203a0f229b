"""CloudWatch's dashboards: their names are an account's, not a region's (rule R8b). What
is in one, nobody looks at here.

Source: CloudWatch's ARN of a dashboard, arn:aws:cloudwatch::ACCOUNT:dashboard/NAME.
"""

from moto.cloudwatch.models import CloudWatchBackend
from moto.cloudwatch.models import Dashboard as Answer

from . import models, patches

DASHBOARD = "AWS::CloudWatch::Dashboard"

_delete_dashboards = CloudWatchBackend.delete_dashboards


class Dashboard(models.Generic):
    resource_type = DASHBOARD

    def delete(self, account_id, region_name):
        forget(self.properties.get("DashboardName"))
        super().delete(account_id, region_name)


def named(name):
    """The dashboards of a name, one at most, whichever region's stack has made it."""
    return [d for d in models.of_type(DASHBOARD) if d.properties.get("DashboardName") == name]


def find(name):
    return next(iter(named(name)), None)


def forget(name):
    """Delete the dashboard of a name, and report whether there was one. A stack that has
    made it keeps its resource."""
    found = named(name)
    for dashboard in found:
        models.accepted.pop(dashboard.physical_resource_id, None)
    return bool(found)


def delete_dashboards(self, dashboards):
    left = [name for name in dashboards if not forget(name)]
    return _delete_dashboards(self, left) if left else None


def get_dashboard(self, dashboard):
    found = find(dashboard)
    return found and Answer(self.account_id, "", dashboard, found.properties["DashboardBody"])


def put_dashboard(self, name, body):
    """Write a dashboard, also one that a stack has made."""
    if not find(name):
        Dashboard(name, {"DashboardName": name}, self.account_id, self.region_name)
    for dashboard in named(name):
        dashboard.properties["DashboardBody"] = body
    return self.get_dashboard(name)


def install():
    models.emulated[DASHBOARD] = Dashboard
    patches.replace(CloudWatchBackend, delete_dashboards=delete_dashboards, get_dashboard=get_dashboard, put_dashboard=put_dashboard)
