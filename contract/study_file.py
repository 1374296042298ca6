"""What a study file (studies/*.yml) may say. Sizes are MiB where a name says so, times are seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from contract.choices import Network, Probes, Stressor, SwitchoverBy
from contract.downtimes import MaxDowntime
from contract.modes import Mode

RATE_FORM = "a number above 0 with kbit, mbit or gbit, for example 1gbit or 200mbit"
_NAME = r"^[a-z0-9]+([-_.][a-z0-9]+)*$(?!\n)"

StudyName = Annotated[
    str, Meta(pattern=_NAME, description="lower-case letters and digits, joined by - _ or .")
]
DataSetName = Annotated[str, Meta(pattern=_NAME, description="the name of a published data set, or null")]
TableName = Annotated[str, Meta(pattern=_NAME, description="the name of a published table, or null")]
FlavorName = Annotated[
    str, Meta(pattern=r"^[a-z0-9]+([_.][a-z0-9]+)*$(?!\n)", description="lower-case letters and digits")
]
Title = Annotated[
    str,
    Meta(
        pattern=r"^(?=.*\S)[^\x00-\x1f]{1,200}$(?!\n)",
        description="a text of one line, 200 characters at most",
    ),
]
# tc's form of a rate: kbit, mbit and gbit are powers of 1000 (man tc, section PARAMETERS). Editors check the
# pattern, and control/study.py: msgspec 0.22 frees a text's pattern twice that is in a union with a list.
RATE_PATTERN = r"^(?=.*[1-9])[0-9]{1,9}(\.[0-9]{1,9})?(kbit|mbit|gbit)$(?!\n)"
Rate = Annotated[str, Meta(description=RATE_FORM, extra_json_schema={"pattern": RATE_PATTERN})]
Seconds = (
    Annotated[int, Meta(ge=1, le=86400, description="seconds from 1 to 86400")]
    | Annotated[float, Meta(ge=1, le=86400, description="seconds from 1 to 86400")]
)
RecoverySeconds = (
    Annotated[int, Meta(ge=0, le=86400, description="seconds from 0 to 86400")]
    | Annotated[float, Meta(ge=0, le=86400, description="seconds from 0 to 86400")]
)
Repetitions = Annotated[int, Meta(ge=1, le=999, description="a whole number from 1 to 999")]
Seed = Annotated[int, Meta(ge=0, le=2**31 - 1, description=f"a whole number from 0 to {2**31 - 1}")]
Processors = Annotated[int, Meta(ge=1, le=255, description="a whole number from 1 to 255")]
RamMib = Annotated[int, Meta(ge=256, le=1 << 20, description=f"a whole number from 256 to {1 << 20}")]
PatternMib = Annotated[int, Meta(ge=0, le=65536, description="a whole number from 0 to 65536")]
Threads = Annotated[int, Meta(ge=0, le=1024, description="a whole number from 0 to 1024")]
ThreadMib = Annotated[int, Meta(ge=1, le=1 << 20, description=f"a whole number from 1 to {1 << 20}")]
LARGEST_SCALE = 100
_SCALES = Meta(ge=1, le=LARGEST_SCALE, description=f"a number from 1 to {LARGEST_SCALE}")
Scale = Annotated[int, _SCALES] | Annotated[float, _SCALES]
ScaleByProbe = Literal["probe"]
_SOME = Meta(min_length=1)
CaseSelection = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9*?._-][a-z0-9*?._, -]*$(?!\n)",
        description="ids or patterns (* and ?), separated by commas",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavor:
    """A guest's size."""

    vcpus: Processors
    ram_mib: RamMib


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What a block of the matrix has where it says nothing else.

    max_downtime_ms: for how long a guest may be stopped at the end of pre-copy, as the hypervisor reckons it;
        native is what it, or nova, allows by itself. Without the key it is 1 ms where libvirt is asked to
        switch over, else native.
    postcopy_recovery_seconds: for how long a post-copy that lost its connection is waited for.
    switchover_by: who is asked for the switchover of a guest that nova migrates: libvirt at once, or nova,
        which acts on its request to complete when it next looks.
    """

    limit_seconds: Seconds = 120
    link_rate: Rate = "1gbit"
    max_downtime_ms: MaxDowntime | UnsetType = UNSET
    network: Network = Network.PLAIN
    pattern_mib: PatternMib = 32
    postcopy_recovery_seconds: RecoverySeconds = 0
    probes: Probes = Probes.ALL
    stressor: Stressor = Stressor.STRESS
    switchover_by: SwitchoverBy = SwitchoverBy.LIBVIRT


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of the matrix: all combinations of its lists. One value stands for a list of one."""

    mode: Mode | Annotated[tuple[Mode, ...], _SOME]
    flavor: str | Annotated[tuple[str, ...], _SOME]
    stressor: Stressor | Annotated[tuple[Stressor, ...], _SOME] | UnsetType = UNSET
    stress_threads: Threads | Annotated[tuple[Threads, ...], _SOME]
    stress_thread_mib: ThreadMib | Annotated[tuple[ThreadMib, ...], _SOME] | UnsetType = UNSET
    link_rate: Rate | Annotated[tuple[Rate, ...], _SOME] | UnsetType = UNSET
    max_downtime_ms: MaxDowntime | Annotated[tuple[MaxDowntime, ...], _SOME] | UnsetType = UNSET
    network: Network | Annotated[tuple[Network, ...], _SOME] | UnsetType = UNSET
    probes: Probes | Annotated[tuple[Probes, ...], _SOME] | UnsetType = UNSET
    switchover_by: SwitchoverBy | Annotated[tuple[SwitchoverBy, ...], _SOME] | UnsetType = UNSET
    table: TableName | None = None
    limit_seconds: Seconds | UnsetType = UNSET
    pattern_mib: PatternMib | UnsetType = UNSET
    postcopy_recovery_seconds: RecoverySeconds | UnsetType = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFile:
    """A whole study file.

    scale: the link is so many times slower than the matrix says, and each memory so many times smaller. Time
        is data over rate: it stays, and so does what a guest dirties in it. "probe": what a probe of the lab
        asks for.
    """

    schema: Literal[1, 2]
    name: StudyName
    title: Title
    reference: DataSetName | None = None
    repetitions: Repetitions
    order_seed: Seed
    flavors: Annotated[
        Mapping[FlavorName, Flavor],
        Meta(min_length=1, description="flavor names, each with vcpus and ram_mib"),
    ]
    scale: Scale | ScaleByProbe = 1
    defaults: Defaults | None = None
    matrix: Annotated[tuple[Block, ...], _SOME]


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedStudyFile:
    """A study file that is another one, but for what it says itself.

    based_on: the other's name; its file lies beside this one.
    only: those of its cases that this study has, by the ids that they have here, as `--only` takes them; all
        without the key.
    """

    schema: Literal[2]
    name: StudyName
    title: Title
    based_on: StudyName
    only: CaseSelection | UnsetType = UNSET
    repetitions: Repetitions | UnsetType = UNSET
    order_seed: Seed | UnsetType = UNSET
    scale: Scale | ScaleByProbe | UnsetType = UNSET
    defaults: Defaults | UnsetType = UNSET
