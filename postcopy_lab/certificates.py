"""The certificates of a lab, which the role libvirt makes: those that end soon."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

# Time enough to finish a long study first.
NOTICE = timedelta(days=30)


def ending_soon(state_dir: Path, renewal: str, now: datetime | None = None) -> list[str]:
    """One line for each certificate that ends within NOTICE, or is none.

    `renewal`: the call that makes new ones. `now`: with a time zone; the present time where it is not given.
    """
    from cryptography import x509

    now = now or datetime.now(UTC)
    lines = []
    for path in sorted((state_dir / "ca").glob("*.pem")):
        try:
            ends_at = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
        except ValueError:
            lines.append(f"{path.name}: is no certificate; renew all with `{renewal}`")
            continue
        if ends_at - now < NOTICE:
            word = "ended" if ends_at < now else "ends"
            lines.append(
                f"{path.name}: {word} on {ends_at:%Y-%m-%d}; renew all certificates with `{renewal}`"
            )
    return lines
