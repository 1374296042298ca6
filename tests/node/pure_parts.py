# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""The pure parts of what runs on nodes, for Python 2.7 and 3 alike. Standard library only.

tests/unit/collection looks closer, with pytest, which is not to be had for Python 2.7 any more. The scenario
python27 of the role node_baseline runs this file on a node under both interpreters.
"""

import json
import os
import shutil
import socket
import tempfile
import threading
import time
import unittest
from xml.etree import ElementTree

from ansible_collections.postcopy.lab.plugins.module_utils import (
    agent_client,
    boot_probe,
    guest_domain,
    node_programs,
    node_texts,
)
from ansible_collections.postcopy.lab.plugins.module_utils.node import (
    captures,
    clocks,
    jsonl,
    libvirt_events,
    migrate,
    monotonic,
    nova_api,
    nova_migrate,
    pings,
    probe,
    processes,
    qmp,
    steady_ping,
    ticks,
    vcpus,
)

# Not an ASCII letter, as text in both Pythons.
UMLAUT = b"\xc3\xb6".decode("utf-8")
GUEST = {
    "name": "postcopy-lab-x",
    "vcpus": 2,
    "memory_bytes": 2**31,
    "address": "10.91.2.100",
    "prober_address": "10.91.2.10",
    "mac": "52:54:00:91:02:00",
    "bridge": "br-guest",
    "accelerator": "kvm",
    "machine": "pc",
    "emulator": "/usr/bin/qemu-system-x86_64",
    "kernel": "/k&r/vmlinuz",
    "initrd": "/initrd.img",
    "qemu_arguments": ["-x", "a b"],
}


def free_port():
    """A UDP port that nothing on this machine uses."""
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
    probe.close()
    return port


def read(path):
    with open(path) as stream:
        return stream.read()


class Waiting(unittest.TestCase):
    def test_no_wait_goes_by_a_clock_that_somebody_sets(self):
        begun, clock, real = monotonic.seconds(), [0.0], time.time
        time.time = lambda: real() - clock[0]
        try:
            waiting = threading.Timer(0.1, clock.__setitem__, (0, 3600.0))
            waiting.start()
            threading.Event().wait(0.4)
        finally:
            time.time = real
        self.assertTrue(0.3 < monotonic.seconds() - begun < 2)


class Deciding(unittest.TestCase):
    def test_when_a_migration_switches_and_gives_up(self):
        self.assertEqual(migrate.next_action(2, 1, 1, 30, 150, False, False), None)
        self.assertEqual(migrate.next_action(2, 2, 1, 30, 150, False, False), "switchover")
        self.assertEqual(migrate.next_action(None, 9, 31, 30, 150, False, False), "abort")
        self.assertEqual(migrate.next_action(2, 3, 151, 30, 150, True, False), "give-up")
        self.assertTrue(issubclass(nova_migrate.NovaMigration, migrate.Migration))

    def test_words_for_libvirts_numbers(self):
        # A whole number divided by a whole number is none in Python 3.
        self.assertEqual(migrate.version_text(1002013), "1.2.13")
        self.assertEqual(libvirt_events.lifecycle_names(3, 7), ("SUSPENDED", "POSTCOPY"))

    def test_an_error_of_novas_in_one_line(self):
        body = '{"badRequest": {"message": "no\\n such h\\u00f6st"}}'
        self.assertEqual(nova_api.message_of(body), "no such h%sst" % UMLAUT)


class Reading(unittest.TestCase):
    def test_this_nodes_own_files(self):
        self.assertTrue(node_texts.processors(read("/proc/cpuinfo"))["cpus"] >= 1)
        memory = node_texts.memory(read("/proc/meminfo"))
        self.assertTrue(0 < memory["memory_available_bytes"] < memory["memory_bytes"])
        (record,) = probe.read_counters(read("/proc/net/dev"), ["lo"])
        self.assertEqual(record["rx_bytes"], record["tx_bytes"])
        self.assertEqual(node_texts.installed_packages("ii a 1:2-3\nrc b 1\n"), {"a": "1:2-3"})

    def test_the_guest_is_xml_that_can_be_read_again(self):
        domain = ElementTree.fromstring(guest_domain.domain_xml(GUEST))
        self.assertEqual(domain.findtext("os/kernel"), "/k&r/vmlinuz")
        self.assertEqual(guest_domain.name_error("other"), "name: 'other' must begin with postcopy-lab-")

    def test_what_is_booted_to_try_an_accelerator(self):
        self.assertEqual(len(boot_probe.boot_sector()), 512)
        self.assertEqual(boot_probe.boot_sector()[:3], b"\xba\xf4\x00")
        self.assertTrue(boot_probe.init_program().startswith(b"\x7fELF"))

    def test_what_tcpdump_and_ping_are_told(self):
        self.assertEqual(
            captures.taps_of(
                "<domain><devices><interface type='bridge'><target dev='vnet3'/></interface>"
                "<interface type='bridge'><source bridge='b'/></interface></devices></domain>"
            ),
            ["vnet3"],
        )
        asked = " ".join(captures.command("vnet3", "/x.pcap"))
        self.assertTrue(asked.endswith(" -i vnet3 -w /x.pcap " + captures.FILTER), asked)
        asked = {"period": 0.1, "payload": 56, "steady": False}
        self.assertEqual(
            pings.command(asked, "10.91.2.100")[4:], ["-i", "0.1", "-s", "56", "-S", "65536", "10.91.2.100"]
        )
        own = pings.command(dict(asked, steady=True), "10.91.2.100")
        self.assertEqual(own[1], "-m")
        self.assertTrue(own[2].endswith("node.steady_ping"))
        self.assertEqual(json.loads(own[3]), {"address": "10.91.2.100", "payload": 56, "period": 0.1})

    def test_an_echo_request_and_what_comes_back(self):
        packet = steady_ping.request(77, 65535, 16)
        self.assertEqual(len(packet), 24)
        # RFC 1071: over its own checksum a packet sums up to nothing.
        self.assertEqual(steady_ping.checksum(packet), 0)
        header = b"\x45" + b"\0" * 7 + b"\x40\x01" + b"\0" * 10
        reply = header + b"\0" + packet[1:]
        self.assertEqual(steady_ping.read_packet(reply, 77), (65535, 24, 64, None))
        self.assertEqual(steady_ping.read_packet(reply, 78), None)
        unreachable = header + b"\x03\x01" + b"\0" * 6 + header + packet[:8]
        self.assertEqual(
            steady_ping.read_packet(unreachable, 77), (65535, 0, 0, "Destination Host Unreachable")
        )
        for cut in range(len(unreachable)):
            self.assertEqual(steady_ping.read_packet(unreachable[:cut], 77), None)

    def test_a_late_sender_skips_and_a_clock_that_is_set_stops_nothing(self):
        self.assertAlmostEqual(steady_ping.next_due(10.0, 10.001, 0.01), 10.01)
        self.assertAlmostEqual(steady_ping.next_due(10.0, 10.034, 0.01), 10.04)
        self.assertAlmostEqual(steady_ping.next_due(10.0, 3.0, 0.01), 3.01)
        self.assertAlmostEqual(steady_ping.next_due(10.0, 9999.0, 0.01), 9999.01)

    def test_the_guests_own_threads_are_found(self):
        line = b"/usr/bin/qemu\0-name\0guest=postcopy-lab-x,debug-threads=on\0-S\0"
        self.assertTrue(vcpus.is_of_guest(line, "postcopy-lab-x"))
        self.assertFalse(vcpus.is_of_guest(line, "postcopy-lab"))
        self.assertFalse(vcpus.is_of_guest(b"-name", "postcopy-lab-x"))
        self.assertEqual(vcpus.make_yield("postcopy-lab-not-there", 10), 0)

    def test_a_datagram_that_is_no_question_gets_no_answer(self):
        question = clocks.DATAGRAM.pack(clocks.MARK, 7, 1.5, 0.0, 0.0)
        self.assertEqual(
            clocks.read_answer(clocks.answer(question, 2.5, 3.5), 7, 4.5),
            {"sent_at": 1.5, "received_at": 2.5, "answered_at": 3.5, "returned_at": 4.5},
        )
        self.assertEqual(clocks.answer(b"x" * clocks.DATAGRAM.size, 2.5, 3.5), None)
        self.assertEqual(clocks.answer(question[:-1], 2.5, 3.5), None)
        self.assertEqual(clocks.read_answer(question, 8, 4.5), None)


class Running(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)

    def test_lines_are_whole_json(self):
        path = os.path.join(self.directory, "x.jsonl")
        lines = jsonl.JsonLines(path)
        threads = [
            threading.Thread(target=lambda: [lines.write({"a": UMLAUT}) for _ in range(50)]) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lines.write({"event": "given"}, at=12.5)
        lines.close()
        records = [json.loads(line) for line in read(path).splitlines()]
        self.assertEqual(len(records), 201)
        self.assertEqual(records[0]["a"], UMLAUT)
        self.assertEqual(records[-1], {"event": "given", "t": 12.5})

    def test_ticks_keep_their_rate(self):
        stop = threading.Event()
        count = 0
        for _tick in ticks.ticks(100, stop):
            count += 1
            if count == 5:
                stop.set()
        self.assertEqual(count, 5)

    @unittest.skipUnless(os.geteuid() == 0, "a raw socket is root's")
    def test_a_ping_keeps_its_period(self):
        """On this machine's loopback, as it is: the second half of what was written is looked at."""
        text = []
        begun = steady_ping.clock()
        ping = steady_ping.Pinger("127.0.0.1", 0.01, 16, text.append)
        ping.run(lambda: steady_ping.clock() - begun > 1.0)
        ping.socket.close()
        self.assertEqual(text[0], "PING 127.0.0.1 (127.0.0.1) 16(44) bytes of data.\n")
        self.assertTrue(" 24 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time=" in "".join(text))
        self.assertTrue(20 < ping.sent <= 101)
        self.assertTrue(ping.sent - 1 <= ping.answered <= ping.sent)
        summary = "%d packets transmitted, %d received, " % (ping.sent, ping.answered)
        self.assertTrue(summary in text[-1])

    def test_a_pid_file_of_another_program_is_none_of_ours(self):
        processes.PID_DIRECTORY = os.path.join(self.directory, "pids")
        processes.write_pid("probe")
        self.assertEqual(processes.running_pid("probe"), None)
        self.assertEqual(processes.stop("probe"), False)

    def test_a_program_that_is_not_there(self):
        node_programs.PROGRAM_DIRECTORY = self.directory
        self.assertRaises(node_programs.ProgramError, node_programs.run, "migrate", {})

    def test_clocks_of_one_machine_are_one(self):
        node_port, prober_port = free_port(), free_port()
        answering = clocks.open_socket(node_port, "127.0.0.1", prober_port, 0.2)
        asking = clocks.open_socket(prober_port, "127.0.0.1", node_port, 0.2)
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stranger.settimeout(0.2)
        stranger.connect(("127.0.0.1", node_port))
        for one in (asking, stranger):
            self.addCleanup(one.close)
        stop = threading.Event()
        thread = threading.Thread(target=clocks.serve, args=(answering, stop))
        thread.start()
        record = clocks.ask(asking, 1)
        unanswered = clocks.ask(stranger, 2)
        stop.set()
        thread.join()
        times = [record[key] for key in ("sent_at", "received_at", "answered_at", "returned_at")]
        self.assertEqual(times, sorted(times))
        self.assertTrue(times[3] - times[0] < 0.2)
        self.assertEqual(unanswered, None)
        self.assertEqual(clocks.ask(asking, 3), None)

    def test_a_monitor_is_asked(self):
        path = os.path.join(self.directory, "qmp")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)

        def answer():
            connection = listener.accept()[0]
            connection.sendall(b'{"QMP": {}}\r\n{"return": {}}\r\n')
            connection.sendall(b'{"event": "RESUME"}\r\n{"error": {"desc": "no such thing"}}\r\n')
            connection.recv(999)
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        self.assertRaises(qmp.QmpError, qmp.execute, path, "query-migrate")
        thread.join()
        listener.close()
        self.assertRaises(qmp.QmpError, qmp.measure_blocktime, path)

    def test_an_agent_is_asked(self):
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        port = listener.getsockname()[1]

        def answer():
            connection = listener.accept()[0]
            connection.sendall(b'{"ok": true, "asked": "' + connection.recv(99).strip() + b'"}')
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        self.assertEqual(agent_client.ask("127.0.0.1", port, "status", 5)["asked"], "status")
        thread.join()
        listener.close()
        self.assertRaises(agent_client.AgentError, agent_client.ask, "127.0.0.1", port, "status", 1)


if __name__ == "__main__":
    unittest.main()
