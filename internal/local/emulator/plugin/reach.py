"""Which AWS services an instance reaches: those that its subnet has a way to (rule R24).

Source: Amazon VPC User Guide, "Configure route tables", and AWS PrivateLink Guide,
"Gateway endpoints"."""

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.sts.models import sts_backends


def cut_off(access_key, region, service):
    """Whether a call is an instance's, which would wait for its answer for ever on AWS. Who
    plays an instance has its role with its id as the session's name."""
    session = sts_backends[DEFAULT_ACCOUNT_ID]["aws"].get_assumed_role_from_access_key(access_key)
    subnet, ec2 = subnet_of(session.session_name) if session else (None, None)
    return bool(subnet) and not has_way(ec2, subnet, f"com.amazonaws.{region}.{service}")


def subnet_of(instance_id):
    """The subnet of an instance and what has it; none in a default VPC, which leads
    everywhere."""
    if instance_id.startswith("i-"):
        for ec2 in list(ec2_backends[DEFAULT_ACCOUNT_ID].values()):
            instance = ec2.get_instance_by_id(instance_id)
            subnet = instance and instance.subnet_id and ec2.get_subnet(instance.subnet_id)
            if subnet and not ec2.vpcs[subnet.vpc_id].is_default:
                return subnet, ec2
    return None, None


def has_way(ec2, subnet, service):
    """An endpoint, or a route to everywhere, of which where it leads is not looked at."""
    table = table_of(ec2, subnet)
    if table and any(r.destination_cidr_block == "0.0.0.0/0" for r in table.routes):
        return True
    return any(
        e.vpc_id == subnet.vpc_id and e.service_name == service and e.state != "deleted"
        and (e.vpc_endpoint_type == "Interface" or table and table.id in (e.route_table_ids or []))
        for e in list(ec2.vpc_end_points.values())
    )


def table_of(ec2, subnet):
    """A subnet's route table, which is the VPC's main one where it has none of its own."""
    tables = [t for t in list(ec2.route_tables.values()) if t.vpc_id == subnet.vpc_id]
    own = [t for t in tables if f"{t.id}:{subnet.id}" in ec2.subnet_associations or subnet.id in t._associations.values()]
    return next(iter(own + [t for t in tables if t.main_association_id]), None)
