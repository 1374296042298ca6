"""`postcopy-lab provision`."""

from __future__ import annotations

import time

from postcopy_lab.board import clock, make_console
from postcopy_lab.lab import Lab, open_lab, run_steps
from postcopy_lab.steps import write_durations
from postcopy_lab.verbs.support_bundle import names_support_bundle

# What to call for new certificates.
RENEWAL = ("provision", "--renew-tls")


@names_support_bundle
def provision(
    inventory: str,
    *,
    release: str | None,
    plain_strategy: bool,
    backend: str | None,
    renew_tls: bool,
) -> None:
    """Make the lab ready.

    Raises:
        CommandError: a step failed, or bad input.
    """
    provision_lab(open_lab(inventory, release, plain_strategy, backend), renew_tls)


def provision_lab(lab: Lab, renew_tls: bool = False) -> None:
    """Make an opened lab ready, on demand with new certificates.

    Raises:
        CommandError: a step failed.
    """
    console = make_console()
    console.print(f"Provisioning {lab.title}", style="bold", soft_wrap=True)
    with lab.locked() as locked:
        started_at = time.monotonic()
        wish = {"libvirt_renew_certificates": True} if renew_tls else {}
        seconds = run_steps(locked, "provision", {**lab.extra_vars, **wish})
        write_durations(lab.inventory.state_dir, "provision", seconds)
    console.print(
        f"Lab {lab.inventory.lab} is ready, in {clock(time.monotonic() - started_at)}.", soft_wrap=True
    )
