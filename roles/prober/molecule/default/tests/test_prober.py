"""The node that pings, seen from outside."""

from __future__ import annotations

from testinfra.host import Host

testinfra_hosts = ["ansible://prober"]


def test_ping_answers_as_the_parsers_expect(host: Host) -> None:
    """The options of the two probes: time stamps, silence reported, 10 ms between requests."""
    done = host.run("ping -D -O -n -i 0.01 -c 5 127.0.0.1")
    assert done.rc == 0
    lines = [line for line in done.stdout.splitlines() if "bytes from" in line]
    assert len(lines) == 5
    assert all(line.startswith("[") and "icmp_seq=" in line for line in lines)


def test_folder_of_the_raw_records(host: Host) -> None:
    assert host.file("/var/lib/postcopy-lab/runs").is_directory
