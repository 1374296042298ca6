"""Certificates that end soon are told by status and check; new ones are asked for by provision."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from postcopy_lab.certificates import NOTICE, ending_soon
from postcopy_lab.project import Project

Call = Callable[..., tuple[int, str, str]]
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def certificate(path: Path, ends_at: datetime) -> None:
    """Sign one by itself, valid until then."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    made = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), ends_at - 1000 * DAY, ends_at
    ).sign(key, hashes.SHA256())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(made.public_bytes(Encoding.PEM))


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (NOTICE + DAY, None),
        (NOTICE - DAY, "compute1.pem: ends on 2026-12-28; renew all certificates with `renew`"),
        (-DAY, "compute1.pem: ended on 2026-11-28; renew all certificates with `renew`"),
    ],
)
def test_a_certificate_is_told_thirty_days_before_its_end(
    tmp_path: Path, left: timedelta, words: str | None
) -> None:
    certificate(tmp_path / "ca" / "ca.pem", NOW + 1000 * DAY)
    certificate(tmp_path / "ca" / "compute1.pem", NOW + left)
    assert ending_soon(tmp_path, "renew", NOW) == ([words] if words else [])


def test_what_is_no_certificate_is_told(tmp_path: Path) -> None:
    certificate(tmp_path / "ca" / "ca.pem", NOW + 1000 * DAY)
    (tmp_path / "ca" / "compute1.pem").write_text("cut off")
    assert ending_soon(tmp_path, "renew", NOW) == ["compute1.pem: is no certificate; renew all with `renew`"]


def test_a_lab_without_certificates_has_none_that_end(tmp_path: Path) -> None:
    assert ending_soon(tmp_path, "renew", NOW) == []


@pytest.mark.parametrize("verb", ["status", "check"])
def test_status_and_check_tell_it(call: Call, checkout: Project, verb: str) -> None:
    certificate(checkout.root / ".lab/tiny/ca/compute1.pem", datetime.now(UTC) + DAY)
    _code, out, _err = call(verb)
    assert "compute1.pem: ends on " in out
    assert "renew all certificates with `postcopy-lab provision --renew-tls`" in out


def test_provision_hands_the_wish_for_new_ones_on(call: Call, checkout: Project) -> None:
    for words, wished in ((["provision"], False), (["provision", "--renew-tls"], True)):
        assert call(*words)[0] == 0
        log = max((checkout.root / ".lab/tiny/runner").iterdir())
        command = json.loads((log / "command").read_text(encoding="utf-8"))["command"]
        assert ("libvirt_renew_certificates" in " ".join(command)) is wished
