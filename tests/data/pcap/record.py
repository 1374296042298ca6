"""Records the captures beside this file: real packets, bridges, pings and tcpdump, in namespaces of its own.

    sudo python3 tests/data/pcap/record.py DIRECTORY

A prober, a switch, two hosts with a bridge each, and the guest as one namespace on each host with the same
addresses, of which one at a time answers: what a migration does to the network, without a hypervisor.
"""

import json
import struct
import subprocess
import sys
import time
from pathlib import Path

MAC, ADDRESS, PROBER = "52:54:00:07:07:07", "10.93.7.100", "10.93.7.1"
SPACES = ("prober", "switch", "source", "destination", "guest_source", "guest_destination")
SETTLE, QUIET = 0.8, 0.7


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def inside(space, *words):
    return run("ip", "netns", "exec", "pcap_" + space, *words)


def join(left, left_name, right, right_name):
    run(
        "ip", "link", "add", left_name, "netns", "pcap_" + left,
        "type", "veth", "peer", "name", right_name, "netns", "pcap_" + right,
    )  # fmt: skip
    inside(left, "ip", "link", "set", left_name, "up")
    inside(right, "ip", "link", "set", right_name, "up")


def bridge(space, *ports):
    inside(
        space, "ip", "link", "add", "bridge0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0"
    )
    for port in ports:
        inside(space, "ip", "link", "set", port, "master", "bridge0")
    inside(space, "ip", "link", "set", "bridge0", "up")


def build():
    for space in SPACES:
        run("ip", "netns", "add", "pcap_" + space)
        inside(
            space, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"
        )
    join("prober", "eth0", "switch", "to_prober")
    for host in ("source", "destination"):
        join(host, "uplink", "switch", "to_" + host)
        join(host, "tap", "guest_" + host, "eth0")
        bridge(host, "uplink", "tap")
        inside("guest_" + host, "ip", "link", "set", "eth0", "address", MAC)
        inside("guest_" + host, "ip", "address", "add", ADDRESS + "/24", "dev", "eth0")
    bridge("switch", "to_prober", "to_source", "to_destination")
    inside("prober", "ip", "address", "add", PROBER + "/24", "dev", "eth0")
    # The prober never asks for the guest's address: an answer to that would move the switch's entry too.
    inside("prober", "ip", "neighbour", "add", ADDRESS, "lladdr", MAC, "dev", "eth0", "nud", "permanent")
    run_in_guest("destination", False)
    for host in ("source", "destination"):
        mac = json.loads(inside("prober", "ip", "-j", "link", "show", "eth0"))[0]["address"]
        inside(
            "guest_" + host,
            "ip",
            "neighbour",
            "add",
            PROBER,
            "lladdr",
            mac,
            "dev",
            "eth0",
            "nud",
            "permanent",
        )


def destroy():
    for space in SPACES:
        subprocess.run(["ip", "netns", "del", "pcap_" + space], check=False, capture_output=True)


def run_in_guest(host, answers):
    """Let the guest of a host answer, or stand still."""
    path = "/proc/sys/net/ipv4/icmp_echo_ignore_all"
    inside("guest_" + host, "sh", "-c", f"echo {0 if answers else 1} > {path}")


def announce(host="destination"):
    """QEMU's own announcement (net/announce.c): a RARP request to everybody, 60 bytes."""
    mac = bytes.fromhex(MAC.replace(":", ""))
    frame = b"\xff" * 6 + mac + struct.pack("!HHHBBH", 0x8035, 1, 0x0800, 6, 4, 3)
    frame = (frame + mac + bytes(4) + mac + bytes(4)).ljust(60, b"\0")
    code = (
        "import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0)); "
        f"s.send(bytes.fromhex('{frame.hex()}'))"
    )
    inside("guest_" + host, sys.executable, "-c", code)


def hold(on):
    # "sticky": a static entry alone still moves to the port from which its address is heard.
    words = ("replace", MAC, "dev", "to_source", "master", "static", "sticky") if on else (
        "del", MAC, "dev", "to_source", "master")  # fmt: skip
    inside("switch", "bridge", "fdb", *words)


def lose_answers(on):
    inside("destination", "tc", "qdisc", *(
        # A burst of 1 byte: every packet is too large for it.
        ("add", "dev", "uplink", "root", "tbf", "rate", "8bit", "burst", "1", "limit", "1")
        if on
        else ("del", "dev", "uplink", "root")
    ))  # fmt: skip


def migrate(case):
    """What happens in one case; returns the moments in epoch seconds."""
    moments = {"requested": time.time()}
    time.sleep(0.3)
    if case == "stale_fdb":
        hold(True)
    moments["stopped"] = time.time()
    run_in_guest("source", False)
    time.sleep(0.08)
    run_in_guest("destination", True)
    moments["resumed"] = time.time()
    if case == "delayed_announcement":
        time.sleep(0.6)
    announce()
    if case == "stale_fdb":
        time.sleep(0.5)
        hold(False)
        announce()
    if case == "slow_guest":
        time.sleep(0.1)
        run_in_guest("destination", False)
        time.sleep(0.3)
        run_in_guest("destination", True)
    if case == "answers_lost":
        time.sleep(0.1)
        lose_answers(True)
        time.sleep(0.3)
        lose_answers(False)
    moments["completed"] = time.time()
    return moments


CAPTURES = (
    ("prober", "eth0", "prober/icmp.pcap"),
    ("source", "uplink", "source/icmp_uplink.pcap"),
    ("source", "tap", "source/icmp.pcap"),
    ("destination", "uplink", "destination/icmp_uplink.pcap"),
    ("destination", "tap", "destination/icmp.pcap"),
)


def start(space, words, **streams):
    return subprocess.Popen(["ip", "netns", "exec", "pcap_" + space, *words], **streams)


def record(case, directory):
    captures, pings = [], []
    try:
        for space, interface, file in CAPTURES:
            (directory / file).parent.mkdir(parents=True, exist_ok=True)
            words = ["tcpdump", "-p", "-n", "-U", "-Z", "root", "-s", "64", "-i", interface]
            words += ["-w", str(directory / file), "icmp or arp or rarp"]
            captures.append(start(space, words, stderr=subprocess.DEVNULL))
        time.sleep(1)
        for period, payload, file in (("0.1", "56", "ping.log"), ("0.01", "16", "ping_fine.log")):
            words = ["ping", "-n", "-D", "-O", "-i", period, "-s", payload, ADDRESS]
            with (directory / "prober" / file).open("wb") as log:
                pings.append(start("prober", words, stdout=log))
        time.sleep(SETTLE)
        moments = migrate(case)
        # Longer than ping waits for an answer (parsers/ping.py), so that what is lost is known to be lost.
        time.sleep(QUIET + 1)
        (directory / "moments.json").write_text(json.dumps(moments) + "\n")
    finally:
        for processes, signal in ((pings, 2), (captures, 15)):
            for process in processes:
                process.send_signal(signal)
                process.wait()
            # tcpdump is handed packets a second late at most, and forgets what it was not handed.
            time.sleep(1.2)


def record_formats(directory):
    """The same few packets as tcpdump writes them by default, in nanoseconds, and cut."""
    directory.mkdir(parents=True, exist_ok=True)
    inside("guest_source", "sysctl", "-qw", "net.ipv4.conf.eth0.arp_notify=1")
    captures = []
    for name, more in (
        ("plain", ("icmp or arp or rarp",)),
        ("nano", ("--time-stamp-precision=nano", "icmp or arp or rarp")),
        ("cut", ("-s", "40", "icmp")),
    ):
        words = [
            "tcpdump",
            "-p",
            "-n",
            "-U",
            "-Z",
            "root",
            "-i",
            "eth0",
            "-w",
            str(directory / f"{name}.pcap"),
        ]
        captures.append(start("prober", [*words, *more], stderr=subprocess.DEVNULL))
    time.sleep(1)
    inside("prober", "ping", "-n", "-c", "3", "-i", "0.1", "-s", "16", ADDRESS)
    announce("source")
    # Linux tells its address again when it is given one (arp_notify): a gratuitous ARP.
    inside("guest_source", "ip", "link", "set", "eth0", "address", MAC)
    time.sleep(1.2)
    for process in captures:
        process.terminate()
        process.wait()


def main():
    destroy()
    build()
    try:
        record_formats(Path(sys.argv[1]) / "formats")
    finally:
        destroy()
    for case in ("stale_fdb", "delayed_announcement", "slow_guest", "answers_lost"):
        destroy()
        build()
        try:
            record(case, Path(sys.argv[1]) / case)
        finally:
            destroy()


if __name__ == "__main__":
    main()
