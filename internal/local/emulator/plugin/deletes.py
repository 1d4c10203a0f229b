"""Deletion of the resources that moto makes for a stack and cannot delete, and of
what goes with others."""

from moto.autoscaling.models import FakeScheduledAction, autoscaling_backends
from moto.awslambda.models import Permission, lambda_backends
from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_ip_addresses import ElasticAddress
from moto.ec2.models.flow_logs import FlowLogs
from moto.ec2.models.instances import Instance
from moto.ec2.models.internet_gateways import InternetGateway
from moto.ec2.models.nat_gateways import NatGateway
from moto.ec2.models.route_tables import Route, RouteTable
from moto.ec2.models.security_groups import SecurityGroupIngress
from moto.ec2.models.subnets import SubnetRouteTableAssociation
from moto.ec2.models.vpcs import VPC, VPCEndPoint
from moto.ec2.models.vpn_gateway import VPCGatewayAttachment
from moto.elbv2.models import FakeListener, FakeListenerRule, FakeTargetGroup, elbv2_backends

from . import patches


_terminate = Instance.terminate


def install():
    patches.replace(Instance, terminate=terminate)
    for backends, deletes in DELETES:
        for cls, delete in deletes.items():
            patches.add(cls, delete=deleting(backends, delete))


def deleting(backends, delete):
    return lambda resource, account_id, region: delete(backends[account_id][region], resource)


def terminate(self):
    """End what the launch template made for the instance, too."""
    volumes = [device.volume_id for device in self.block_device_mapping.values()]
    state = _terminate(self)
    for interface in self.nics.values():
        self.ec2_backend.enis.pop(interface.id, None)
    for volume in volumes:
        self.ec2_backend.volumes.pop(volume, None)
    return state


def delete_vpc(ec2, vpc):
    """Delete its access control lists, too."""
    ec2.delete_vpc(vpc.id)
    for acl in [a for a in ec2.network_acls.values() if a.vpc_id == vpc.id]:
        del ec2.network_acls[acl.id]


def delete_vpc_endpoint(ec2, endpoint):
    # moto looks for a gateway endpoint's routes where it does not keep them.
    for route_table_id in endpoint.route_table_ids or []:
        table = ec2.route_tables[route_table_id]
        for route in [r for r in table.routes if r.vpc_endpoint_id == endpoint.id]:
            del table._routes[route.id]
    for interface in endpoint.network_interface_ids or []:
        ec2.enis.pop(interface, None)
    del ec2.vpc_end_points[endpoint.id]


def delete_nat_gateway(ec2, gateway):
    for address in gateway.address_set:
        ec2.disassociate_address(association_id=ec2.address_by_allocation([address["allocationId"]])[0].association_id)
    ec2.enis.pop(gateway._eni.id, None)
    del ec2.nat_gateways[gateway.id]


# Permissions and rules of a security group go with what they are a part of.
DELETES = [
    (ec2_backends, {
        ElasticAddress: lambda ec2, address: ec2.release_address(allocation_id=address.allocation_id),
        FlowLogs: lambda ec2, log: ec2.delete_flow_logs([log.id]),
        InternetGateway: lambda ec2, gateway: ec2.delete_internet_gateway(gateway.id),
        NatGateway: delete_nat_gateway,
        Route: lambda ec2, route: route.route_table._routes.pop(route.id),
        RouteTable: lambda ec2, table: ec2.delete_route_table(table.id),
        SecurityGroupIngress: lambda ec2, rule: None,
        SubnetRouteTableAssociation: lambda ec2, a: ec2.subnet_associations.pop(f"{a.route_table_id}:{a.subnet_id}"),
        VPC: delete_vpc,
        VPCEndPoint: delete_vpc_endpoint,
        VPCGatewayAttachment: lambda ec2, a: ec2.detach_internet_gateway(a.gateway_id, a.vpc_id),
    }),
    (elbv2_backends, {
        FakeListener: lambda elb, listener: elb.delete_listener(listener.arn),
        FakeListenerRule: lambda elb, rule: elb.delete_rule(rule.arn),
        FakeTargetGroup: lambda elb, group: elb.delete_target_group(group.arn),
    }),
    (autoscaling_backends, {
        FakeScheduledAction: lambda autoscaling, action: autoscaling.delete_scheduled_action(
            action.auto_scaling_group_name, action.scheduled_action_name
        ),
    }),
    (lambda_backends, {
        Permission: lambda functions, permission: None,
    }),
]
