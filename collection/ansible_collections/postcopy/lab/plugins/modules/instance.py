#!/usr/bin/python
# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Boot or delete an instance of the cloud for a run."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: instance
short_description: Boot or delete an instance of the cloud
description:
  - Runs on the control machine. Makes the flavor if it is missing, a port with the guest's address, and the
    instance on the host that is asked for, and waits until nova calls it active. Whether the guest answers is
    seen by M(postcopy.lab.guest_agent).
  - An instance that cannot be booted is a result, not a failure of the task.
  - Instances and ports of other names than C(postcopy-lab-*) are never touched.
options:
  state:
    description: Whether the instance runs.
    type: str
    choices: [running, absent]
    default: running
  cloud:
    description: Name of the cloud in C(clouds.yaml).
    type: str
    required: true
  name:
    description: Name of the instance, beginning with C(postcopy-lab-). Without a name V(absent) deletes all
      of them.
    type: str
  host:
    description: nova's name of the host to boot on.
    type: str
  vcpus:
    description: Number of virtual processors.
    type: int
    default: 1
  memory_bytes:
    description: Memory of the instance, in bytes.
    type: int
  address:
    description: Address of the guest.
    type: str
  mac:
    description: Hardware address of the guest's interface. The guest takes its address from the last four
      bytes, so they are O(address) where it is not given.
    type: str
  image:
    description: Name of the image.
    type: str
    default: postcopy-lab-guest
  network:
    description: Name of the network.
    type: str
    default: guest
  network_service:
    description:
      - Who connects instances. V(nova-network) chooses the hardware address itself. So the guest's address
        goes to the kernel's command line, by an image of its own for each address.
    type: str
    choices: [neutron, nova-network]
    default: neutron
  placement:
    description:
      - Whether nova asks placement for a host, as it does since 2016. placement grants an instance no more
        processors than its host has. So it is asked for one, whatever O(vcpus) is, and hosts may be shared.
    type: bool
    default: true
  timeout_seconds:
    description: How long nova may take.
    type: int
    default: 180
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: Boot an instance
  postcopy.lab.instance:
    cloud: cloud
    name: postcopy-lab-example
    host: compute1
    memory_bytes: 2147483648
    address: 10.95.2.100
  delegate_to: localhost
"""

RETURN = r"""
started_at:
  description: When the instance was asked for, UTC epoch seconds of the control machine.
  returned: when one was booted
  type: float
active_at:
  description: When nova called it active.
  returned: when one was booted
  type: float
server_id:
  description: The instance.
  returned: when one was booted
  type: str
project_id:
  description: The project that it belongs to.
  returned: when one was booted
  type: str
domain:
  description: libvirt's name of the instance.
  returned: when one was booted
  type: str
error:
  description: Why the instance could not be booted, nova's own words in one line; null if it was.
  returned: V(running)
  type: str
removed:
  description: Names of the instances that were deleted.
  returned: V(absent)
  type: list
  elements: str
"""

import time

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.postcopy.lab.plugins.module_utils import guest_domain

from control.plan import address_in_mac

try:
    import openstack
    from keystoneauth1.exceptions import ClientException
except ImportError:
    openstack = None

MIB = 1024 * 1024
# What placement is asked for in place of what the flavor says.
PLACEMENT_SPECS = {"resources:VCPU": "1"}
# What an image says beside the disk.
IMAGE_PROPERTIES = ("kernel_id", "ramdisk_id", "hw_machine_type", "hw_vif_model")


def one_line(error):
    return " ".join(str(error).split())


def remove(cloud, params):
    """Delete the instances of this kit, or the one of that name, and their ports; returns their names."""

    def ours(item):
        return item.name.startswith(guest_domain.NAME_PREFIX) and params["name"] in (None, item.name)

    servers = [server for server in cloud.compute.servers() if ours(server)]
    for server in servers:
        cloud.compute.delete_server(server, ignore_missing=True)
    for server in servers:
        cloud.compute.wait_for_delete(server, interval=0.5, wait=params["timeout_seconds"])
    if params["network_service"] == "neutron":
        for port in cloud.network.ports():
            if ours(port):
                cloud.network.delete_port(port, ignore_missing=True)
    return [server.name for server in servers]


def flavor_id(cloud, params):
    """The flavor of that size, made when it is first needed. Its only disk is the image."""
    ram_mib = params["memory_bytes"] // MIB
    name = "%s%d-%d" % (guest_domain.NAME_PREFIX, params["vcpus"], ram_mib)
    flavor = cloud.compute.find_flavor(name)
    if not flavor:
        flavor = cloud.compute.create_flavor(name=name, vcpus=params["vcpus"], ram=ram_mib, disk=0)
    if params["placement"] and flavor.extra_specs != PLACEMENT_SPECS:
        cloud.compute.create_flavor_extra_specs(flavor, PLACEMENT_SPECS)
    return flavor.id


def connected_by_neutron(cloud, params, image):
    """The image, and a port whose hardware address tells the guest its address."""
    network = cloud.network.find_network(params["network"], ignore_missing=False)
    port = cloud.network.create_port(
        name=params["name"],
        network_id=network.id,
        mac_address=params["mac"] or address_in_mac(params["address"]),
        fixed_ips=[{"ip_address": params["address"]}],
    )
    return image, {"port": port.id}


def connected_by_nova(cloud, params, image):
    """An image that tells the guest its address, and nova's own network with that address."""
    name = "%s-%s" % (params["image"], params["address"])
    words = {key: getattr(image, key) for key in IMAGE_PROPERTIES}
    words["os_command_line"] = image.os_command_line.replace(
        "lab.address=mac", "lab.address=" + params["address"]
    )
    found = cloud.image.find_image(name)
    if found and {key: getattr(found, key) for key in words} != words:
        cloud.image.delete_image(found)
        found = None
    if not found:
        found = cloud.image.create_image(
            name, data=b"\0" * MIB, disk_format="raw", container_format="bare", wait=True, **words
        )
    answer = cloud.compute.get("/os-networks")
    openstack.exceptions.raise_from_response(answer)
    (network,) = [one for one in answer.json()["networks"] if one["label"] == params["network"]]
    return found, {"uuid": network["id"], "fixed_ip": params["address"]}


CONNECTED = {"neutron": connected_by_neutron, "nova-network": connected_by_nova}


def boot(cloud, params):
    remove(cloud, params)
    image = cloud.image.find_image(params["image"], ignore_missing=False)
    flavor = flavor_id(cloud, params)
    image, network = CONNECTED[params["network_service"]](cloud, params, image)
    started_at = time.time()
    server = cloud.compute.create_server(
        name=params["name"],
        image_id=image.id,
        flavor_id=flavor,
        networks=[network],
        availability_zone="nova:" + params["host"],
    )
    result = {"started_at": started_at, "server_id": server.id, "error": None}
    try:
        server = cloud.compute.wait_for_server(server, interval=0.5, wait=params["timeout_seconds"])
    except openstack.exceptions.SDKException as error:
        server = cloud.compute.get_server(server.id)
        result["error"] = one_line((server.fault or {}).get("message") or error)
    result.update(active_at=time.time(), domain=server.instance_name, project_id=server.project_id)
    return result


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"choices": ["running", "absent"], "default": "running"},
            "cloud": {"type": "str", "required": True},
            "name": {"type": "str"},
            "host": {"type": "str"},
            "vcpus": {"type": "int", "default": 1},
            "memory_bytes": {"type": "int"},
            "address": {"type": "str"},
            "mac": {"type": "str"},
            "image": {"type": "str", "default": "postcopy-lab-guest"},
            "network": {"type": "str", "default": "guest"},
            "network_service": {"choices": sorted(CONNECTED), "default": "neutron"},
            "placement": {"type": "bool", "default": True},
            "timeout_seconds": {"type": "int", "default": 180},
        },
        required_if=[("state", "running", ("name", "host", "memory_bytes", "address"))],
    )
    params = module.params
    if openstack is None:
        module.fail_json(msg=missing_required_lib("openstacksdk"))
    unfit = guest_domain.name_error(params["name"])
    if unfit:
        module.fail_json(msg=unfit)
    try:
        cloud = openstack.connect(cloud=params["cloud"])
        if params["state"] == "running":
            try:
                result = boot(cloud, params)
            except openstack.exceptions.SDKException as error:
                result = {"started_at": time.time(), "error": one_line(error)}
            module.exit_json(changed=True, **result)
        removed = remove(cloud, params)
        module.exit_json(changed=bool(removed), removed=removed)
    except (openstack.exceptions.SDKException, ClientException) as error:
        module.fail_json(msg="cloud %s: %s" % (params["cloud"], one_line(error)))


if __name__ == "__main__":
    main()
