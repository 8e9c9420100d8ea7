"""What was trained with what, how long it took, and what could not be."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from skkeras_tune.training.groups.slots import Outcome
from skkeras_tune.training.groups.timed_program import LaneRun
from skkeras_tune.training.members.member import Member


@dataclass
class FusedGroup:
    """Fits that were trained together.

    Attributes
    ----------
    settings : dict
        What its members have in common.
    n_fits, n_failed : int
        Members, and how many of them failed.
    runs : list of LaneRun
        What each lane that trained some has done.
    """

    settings: dict[str, Any]
    n_fits: int = 0
    n_failed: int = 0
    runs: list[LaneRun] = field(default_factory=list)

    def count(self, outcome: Outcome) -> None:
        """Count a member that has ended."""
        self.n_fits += 1
        self.n_failed += isinstance(outcome, BaseException)

    @property
    def n_slots(self) -> list[int]:
        """Members trained side by side, for each lane."""
        return [run.n_slots for run in self.runs]

    @property
    def compile_seconds(self) -> float:
        """Tracing and compiling programs, and waiting for another lane that does so."""
        return sum(run.compile_seconds for run in self.runs)

    @property
    def train_seconds(self) -> float:
        """Training, summed over the lanes."""
        return sum(run.train_seconds for run in self.runs)

    @property
    def is_by_numpy(self) -> bool:
        """Whether NumPy has run all of it, since compiling would have taken longer."""
        return {run.machine for run in self.runs} == {"numpy"}


def describe_member(member: Member) -> dict[str, Any]:
    """Return what members of one group have in common, in a user's words."""
    plan, design = member.plan, member.design
    network = design.network.architecture
    return {
        "hidden_layer_sizes": network.hidden_units,
        "activation": network.activation,
        "normalization": network.normalization,
        "wide": network.wide,
        "output_units": network.output_units,
        "n_features": network.n_inputs,
        "optimizer": ", ".join([design.optimizer.kind, *design.optimizer.switches]),
        "loss": plan.compilation.loss,
        "metrics": plan.compilation.metrics,
        "batch_size": design.layout.batch,
        "early stopping": plan.stopping and plan.stopping.monitor,
        "callbacks": design.rules,
        "held-out rows": design.layout.held > 0,
        "weights": design.weighted,
    }


@dataclass
class FusionReport:
    """What `fused` has done.

    Attributes
    ----------
    groups : list of FusedGroup
    apart : dict of str to int
        Fits that could not be fused, by reason.
    """

    groups: list[FusedGroup] = field(default_factory=list)
    apart: Counter[str] = field(default_factory=Counter)

    @property
    def n_fused(self) -> int:
        """Fits that were trained in groups."""
        return sum(group.n_fits for group in self.groups)

    @property
    def differing(self) -> list[str]:
        """What kept the groups apart: settings that are not the same for all."""
        rows = [group.settings for group in self.groups]
        names = rows[0] if rows else []
        return [n for n in names if len({repr(row[n]) for row in rows}) > 1]

    def __str__(self) -> str:
        lines = [f"{self.n_fused} fits in {len(self.groups)} groups"]
        for i, group in enumerate(self.groups, 1):
            settings = [f"{n}={group.settings[n]!r}" for n in self.differing]
            failed = f", {group.n_failed} failed" if group.n_failed else ""
            slots = " + ".join(map(str, group.n_slots))
            runner = " run by NumPy," if group.is_by_numpy else ""
            lines.append(
                f"  group {i}: {group.n_fits} fits{failed} in {slots} slots,{runner} "
                f"compiling {group.compile_seconds:.2f} s, "
                f"training {group.train_seconds:.2f} s"
                + (f" ({', '.join(settings)})" if settings else "")
            )
        if self.apart:
            lines.append(f"{sum(self.apart.values())} fits could not be fused")
            lines += [f"  {count}: {why}" for why, count in self.apart.most_common()]
        return "\n".join(lines)
