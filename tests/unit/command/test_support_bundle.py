"""`support-bundle` on recorded results and a lab's state with real keys: what is in it, and no secret."""

from __future__ import annotations

import json
import lzma
import os
import random
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import yaml

from analysis.evidence.archive import write_archive
from postcopy_lab.bundle import LARGEST_BUNDLE_BYTES, Source, fair_share
from postcopy_lab.masking import Mask, mask_documents, secrets_of_documents
from postcopy_lab.project import Project
from tests.lab import bundle_of, secrets_of
from tests.unit.command.conftest import ROOT

Call = Callable[..., tuple[int, str, str]]
RECORDED = ROOT / "tests" / "data" / "results" / "quick" / "local"
BLOCK = "correct horse\nbattery staple"
INVENTORY = """\
# db_password: in a comment
ansible_password: "hunter22"
ansible_become_password: "{{ which_one }}"
which_one: of all things this
deep: {list: [{api_token: 0123456789abcdef}]}
note_password: |
  correct horse
  battery staple
vaulted: !vault |
  $ANSIBLE_VAULT;1.1;AES256
  3761656162643231363936
harmless: kept as it is
"""
OF_INVENTORY = (
    "in a comment",
    "hunter22",
    "of all things this",
    "0123456789abcdef",
    *BLOCK.splitlines(),
    "376165",
)


@pytest.fixture
def state(checkout: Project) -> Path:
    """The state folder of a provisioned lab with a cloud, as its roles leave it."""
    state = checkout.root / ".lab" / "tiny"
    for folder in (
        "secrets",
        "ssh",
        "ca",
        "runner/20260101T000000-provision-1",
        "runner/20260102T000000-study-2",
    ):
        (state / folder).mkdir(parents=True)
    (state / "secrets" / "database").write_text("Zq8WcX0d1mPkLr5t\n")
    (state / "secrets" / "admin").write_text("aB3dEfGh1jKlMn0p salt=xyz\n")
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", state / "ssh/id_ed25519"], check=True
    )
    for name in ("ca", "compute1"):
        command = ["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-out", state / f"ca/{name}.key"]
        subprocess.run(command, check=True, capture_output=True)
    clouds = {"clouds": {"tiny": {"auth": {"username": "admin", "password": "aB3dEfGh1jKlMn0p"}}}}
    (state / "clouds.yaml").write_text(yaml.safe_dump(clouds))
    (state / "link.json").write_text('{"measured": []}\n')
    told = "\n".join(sorted(secrets_of(state)))
    escaped = json.dumps((state / "ca" / "compute1.key").read_text())
    for log in state.glob("runner/*"):
        (log / "stdout").write_text(
            f"PLAY\n{told}\n{escaped}\nmysql://nova:Zq8WcX0d1mPkLr5t@host/db\nhunter22\nPLAY RECAP\n"
        )
        (log / "command").write_text(
            '{"command": ["ansible-playbook", "-e", "x_password=of all things this"]}\n'
        )
    return state


@pytest.fixture
def results(checkout: Project, state: Path) -> Path:
    """Recorded results of that lab, its secrets in evidence that is plain, compressed and in an archive."""
    results = Path(shutil.copytree(RECORDED, checkout.root / "results" / "quick" / "tiny"))
    told = "\n".join(sorted(secrets_of(state))) + "\n"
    for number, run in enumerate(sorted(results.glob("runs/*/*"))):
        (run / "source" / "console.log").write_text(told)
        (run / "prober" / "probe.log").write_bytes(b"\0\1" + told.encode())
        if number % 2:
            (run / "source" / "qemu.log.xz").write_bytes(lzma.compress(told.encode()))
        else:
            write_archive(run, ["source/console.log", "prober/ping.log"], run / "evidence.tar.xz")
            (run / "source" / "console.log").unlink()
    return results


def bundle(call: Call, *words: str) -> dict[str, bytes]:
    """Call the verb; returns the members of the archive, without their folder."""
    file = Path("bundle.tar.gz").resolve()
    code, out, err = call("support-bundle", *words, "--output", str(file))
    assert (code, err) == (0, ""), err
    assert str(file.name) in out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.stat().st_size <= LARGEST_BUNDLE_BYTES
    return bundle_of(file)


def found(members: dict[str, bytes], secrets: Iterable[str]) -> list[tuple[str, str]]:
    return [(name, secret) for name in members for secret in secrets if secret.encode() in members[name]]


def test_no_member_holds_a_secret(call: Call, checkout: Project, state: Path, results: Path) -> None:
    (checkout.inventories / "local" / "group_vars").mkdir()
    (checkout.inventories / "local" / "group_vars" / "all.yml").write_text(INVENTORY)
    (checkout.inventories / "local" / "vault_pass.txt").write_text("hunter22")
    secrets = [*secrets_of(state), *OF_INVENTORY]
    for run in sorted(results.glob("runs/*/*"))[:2]:
        members = bundle(call, str(run))
        Path("bundle.tar.gz").unlink()
        assert found(members, secrets) == []
        assert not any(b"PRIVATE KEY-----" in content for content in members.values())
        assert members["run/source/console.log"].count(b"[removed]\n") >= len(secrets_of(state))
        assert b"harmless: kept as it is\n" in members["inventory/group_vars/all.yml"]
        assert b"vault_pass.txt: not YAML" in members["INDEX.txt"]
        assert b"mysql://nova:[removed]@host/db" in members["logs/20260102T000000-study-2/stdout"]
    assert found({"the test's own eyes": (state / "ca" / "ca.key").read_bytes()}, secrets)


def test_it_has_what_one_needs(call: Call, state: Path, results: Path) -> None:
    run = results / "runs" / "hybrid-s-unloaded-1gbit" / "01"
    older = state / "runner" / "20251231T000000-provision-9"
    shutil.copytree(state / "runner" / "20260101T000000-provision-1", older)
    members = bundle(call, str(run))
    for name in (
        "INDEX.txt",
        "versions.json",
        "inventory/hosts.yml",
        "inventory/release/epoxy.yml",
        "state/files.txt",
        "state/link.json",
        "study/study.json",
        "study/lab.json",
        "run/run.json",
        "run/source/job.jsonl",
        "logs/20260101T000000-provision-1/stdout",
        "logs/20260102T000000-study-2/command",
    ):
        assert name in members, name
        assert name == "INDEX.txt" or f"  {name}" in members["INDEX.txt"].decode()
    assert not [name for name in members if older.name in name], "only the last log of a playbook"
    assert members["run/run.json"] == (run / "run.json").read_bytes()
    assert json.loads(members["versions.json"])["packages"]["ansible-core"].startswith("2.")
    assert b"hybrid-s-unloaded-1gbit 01: completed, " in members["study/journal.txt"]
    assert b"100600" in members["state/files.txt"]


def test_without_a_run_it_is_the_last_one_that_failed(call: Call, results: Path) -> None:
    order = [tuple(key) for key in json.loads((results / "study.json").read_text())["order"]]
    made = [key for key in order if (results / "runs" / key[0] / f"{key[1]:02d}").is_dir()]
    case, repetition = made[1]
    path = results / "runs" / case / f"{repetition:02d}" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"outcome": "failed", "cause": "fill_failed"}))
    for words in ((), ("quick",), (str(results),)):
        members = bundle(call, *words)
        Path("bundle.tar.gz").unlink()
        record = json.loads(members["run/run.json"])
        assert (record["case"], record["repetition"]) == (case, repetition)
    begun = results / "runs" / made[2][0] / f"{made[2][1]:02d}"
    (begun / "run.json").unlink()
    assert b"not recorded to its end" in bundle(call)["INDEX.txt"]


def test_a_lab_that_was_never_provisioned_has_one_too(call: Call) -> None:
    members = bundle(call)
    assert {name.partition("/")[0] for name in members} == {"INDEX.txt", "versions.json", "inventory"}
    assert b"never provisioned" in members["INDEX.txt"]


def test_what_is_large_is_cut_and_said(call: Call, results: Path) -> None:
    run = results / "runs" / "hybrid-s-unloaded-1gbit" / "01"
    chance = random.Random(1)
    lines = [f"{number} {chance.randbytes(30).hex()}\n" for number in range(300_000)]
    (run / "source" / "qemu.log").write_text("".join(lines))
    members = bundle(call, str(run))
    kept = members["run/source/qemu.log"].decode()
    assert kept.startswith(lines[0]) and kept.endswith(lines[-1])
    left_out = (run / "source" / "qemu.log").stat().st_size - len(
        re.sub(r"\n\[.*left out here\]\n", "", kept)
    )
    assert f"\n[{left_out} bytes are left out here]\n" in kept
    assert f"run/source/qemu.log  (cut: {left_out} bytes left out)" in members["INDEX.txt"].decode()
    assert members["run/run.json"] == (run / "run.json").read_bytes()


def test_nothing_is_overwritten(call: Call, tmp_path: Path) -> None:
    taken = tmp_path / "mine.tar.gz"
    taken.write_text("mine")
    for file, said in ((taken, "exists already"), (tmp_path / "no" / "folder", "No such file or directory")):
        code, out, err = call("support-bundle", "--output", str(file))
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert str(file) in err and said in err
    assert taken.read_text() == "mine"


def test_a_link_out_of_a_folder_is_not_followed(call: Call, results: Path, tmp_path: Path) -> None:
    run = results / "runs" / "hybrid-s-unloaded-1gbit" / "01"
    (tmp_path / "private").write_text("of another")
    (run / "source" / "link.log").symlink_to(tmp_path / "private")
    (results / "lab-7.json").symlink_to(tmp_path / "private")
    os.mkfifo(run / "source" / "pipe.log")
    members = bundle(call, str(run))
    assert not any(b"of another" in content for content in members.values())
    for name in ("run/source/link.log", "run/source/pipe.log", "study/lab-7.json"):
        assert f"{name}: " in members["INDEX.txt"].decode().partition("Left out:")[2]


def test_what_cannot_be_unpacked_is_said(call: Call, results: Path) -> None:
    run = results / "runs" / "hybrid-s-unloaded-1gbit" / "01"
    (run / "evidence.tar.xz").write_bytes(b"no archive")
    (run / "guest" / "progress.jsonl").rename(run / "guest" / "progress.jsonl.gz")
    index = bundle(call, str(run))["INDEX.txt"].decode()
    assert "run/evidence.tar.xz: truncated or garbled" in index
    assert "run/guest/progress.jsonl: cannot be read" in index


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("password: x y", "password: [removed]"),
        ("{'admin_password': 'x', 'user': 'y'}", "{'admin_password': [removed], 'user': 'y'}"),
        ('{"API_KEY": "a\\"b", "n": 1}', '{"API_KEY": [removed], "n": 1}'),
        ("X-Auth-Token: gAAAA=", "X-Auth-Token: [removed]"),
        ("tool --admin-password x --user y", "tool --admin-password [removed] --user y"),
        ("sshpass -p x ssh", "sshpass -p [removed] ssh"),
        ("rabbit://user:x@host/", "rabbit://user:[removed]@host/"),
        ("-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----\nb", "[removed]\nb"),
        ("a\n-----BEGIN PRIVATE KEY-----\ncut", "a\n[removed]"),
        ("cut\n-----END PRIVATE KEY-----\nb", "[removed]\nb"),
        # What is no secret.
        (
            '{"event": "MIGRATION_PASS", "data": {"pass": 2}}',
            '{"event": "MIGRATION_PASS", "data": {"pass": 2}}',
        ),
        ("ansible_ssh_private_key_file: /x/id", "ansible_ssh_private_key_file: /x/id"),
        ("http://host:80/path a@b", "http://host:80/path a@b"),
    ],
)
def test_mask(text: str, masked: str) -> None:
    assert Mask(())(text.encode()).decode() == masked


def test_evidence_is_not_masked_without_need() -> None:
    for path in sorted(RECORDED.rglob("*")):
        if path.is_file():
            assert Mask(())(path.read_bytes()) == path.read_bytes(), path


def test_documents_keep_all_but_their_secrets() -> None:
    (masked,) = mask_documents({"a.yml": INVENTORY}).values()
    assert yaml.safe_load(masked)["deep"] == {"list": [{"api_token": "[removed]"}]} or "[removed]" in masked
    assert [line for line in INVENTORY.splitlines() if "harmless" in line or "# db" in line][1] in masked
    assert not [secret for secret in OF_INVENTORY[1:] if secret in masked]
    known = secrets_of_documents({"a.yml": INVENTORY})
    assert {b"hunter22", b"of all things this", b"correct horse", b"0123456789abcdef"} <= known
    assert mask_documents({"b.yml": "a: [password: {"}) == {"b.yml": "[removed]: not YAML\n"}


def test_no_part_of_a_key_is_left_at_a_cut(tmp_path: Path) -> None:
    body = [f"{number:04d}{'SECRETSECRET' * 5}" for number in range(40)]
    key = "\n".join(["-----BEGIN PRIVATE KEY-----", *body, "-----END PRIVATE KEY-----", ""])
    noise = "".join(f"line {number} of a log\n" for number in range(4000))
    log = tmp_path / "log"
    for shift in range(0, 4000, 173):
        log.write_text(noise[: 9000 + shift] + key + noise[:30000] + key + noise[: 27000 + shift])
        content = Source("log", log).read(40_000, Mask(())).content
        assert b"SECRET" not in content and len(content) <= 40_100


def test_the_largest_are_cut_first() -> None:
    assert fair_share([10, 20, 30], 60) == 30
    assert fair_share([10, 20, 1000], 60) == 30
    assert fair_share([10, 500, 1000], 60) == 25
    assert fair_share([], 60) == 0


def _calls(text: str) -> Iterator[list[str]]:
    for call in re.findall(r"`postcopy-lab (support-bundle[^`]*)`", text):
        yield call.split()


def test_a_failure_names_the_call_that_works(call: Call, checkout: Project) -> None:
    (checkout.inventories / "local" / "group_vars").mkdir()
    (checkout.inventories / "local" / "group_vars" / "lab.yml").write_text("second_exit_codes: {node2: 3}\n")
    (checkout.inventories / "other").symlink_to(checkout.inventories / "local")
    for words in (("provision",), ("provision", "-i", "other", "--backend", "libvirt")):
        code, _, err = call(*words)
        assert (code, err.count("\n")) == (1, 1)
        assert "/stdout; `postcopy-lab support-bundle" in err
        (named,) = _calls(err)
        assert named[1:] == list(words[1:])
        code, _out, err = call(*named, "--output", str(checkout.root / f"{len(words)}.tar.gz"))
        assert (code, err) == (0, "")


def test_bad_input_needs_no_bundle(call: Call) -> None:
    code, _, err = call("provision", "--release", "nope")
    assert code == 2
    assert "support-bundle" not in err
