"""Training a population: several trials at once, each as if it were alone."""

import time
from collections.abc import Sequence
from typing import Any, Protocol

from nnjax.sweeps.population.group import Groups
from nnjax.sweeps.population.member import Measured, Member, is_finite
from nnjax.training import snapshot, updates
from nnjax.training.updates import Carry

STRETCH_SECONDS = 0.25
"""About how long the device computes without a break; signals are handled between two stretches."""

SHARE_OF_SAVING = 0.05
"""Checkpoints are saved so seldom that saving takes at most this share of the time."""

SECONDS_TO_REGROUP = 10.0
"""A smaller group replaces one with empty slots that would cost more than this, about the time
that compiling takes."""


class Listener(Protocol):
    """What a population calls when something happens to its members."""

    def evaluated(self, member: Member, train: dict[str, float], measured: Measured) -> bool:
        """Called after an evaluation; returns whether to stop the member, as a pruner may want."""
        ...

    def ended(self, member: Member, status: str, summary: dict[str, Any]) -> None:
        """Called when a member is "finished", "pruned" or "diverged"."""
        ...

    def more(self, most: int) -> Sequence[Member]:
        """Returns more members for free slots, at most ``most``."""
        ...

    def went_on(self) -> None:
        """Called after some updates; may call ``stop`` and raise, to end the training."""
        ...


class Population:
    """Members that train in the slots of a group; a new member takes the slot of one that ended."""

    def __init__(self, members: Sequence[Member], groups: Groups, listener: Listener):
        """Fills the slots.

        Args:
          members: trials of one program.
          groups: that program's.
          listener: called when something happens to the members.
        """
        self._groups, self._listener = groups, listener
        self._stretch = 1
        self._seconds_per_update = 0.0
        self._saved_at, self._saving_seconds = time.perf_counter(), 0.0
        self._group = groups.at_least(len(members))
        self._slots: list[Member | None] = [None] * self._group.size
        self._fill(members)

    def train(self) -> None:
        """Trains until the last member has ended and there are no more."""
        while self._filled():
            self._advance()
            self._stop_diverged()
            due = [slot for slot, member in self._filled() if member.is_due]
            if due:
                self._record(due)
                self._finish_over()
                self._refill()
            self._save_if_due()
            # Last, when everything is recorded, because it may raise.
            self._listener.went_on()

    def save(self) -> None:
        """Saves a checkpoint of every member."""
        began = time.perf_counter()
        for slot, _ in self._filled():
            self._save(slot)
        self._saved_at = time.perf_counter()
        self._saving_seconds = self._saved_at - began

    def stop(self) -> list[Member]:
        """Saves every member, so that it can go on later, and returns the members."""
        self.save()
        members = [member for _, member in self._filled()]
        for member in members:
            member.stop("interrupted")
        self._slots = [None] * len(self._slots)
        return members

    # Slots

    def _filled(self) -> list[tuple[int, Member]]:
        return [(slot, member) for slot, member in enumerate(self._slots) if member is not None]

    def _fill(self, members: Sequence[Member]) -> None:
        """Puts members into free slots.

        A member that a worker saved after the last update, before it died, is only finished.
        """
        free = (slot for slot, member in enumerate(self._slots) if member is None)
        for slot, member in zip(free, members, strict=False):
            carry, best = member.begin(self._group)
            self._put(slot, member, carry, best)
        self._finish_over()

    def _put(self, slot: int, member: Member, carry: Any, best: Any) -> None:
        self._slots[slot] = member
        self._group.put(slot, member.values, member.experiment.training, carry, best)

    def _refill(self) -> None:
        """Fills free slots with waiting trials, or moves the members into a smaller group."""
        free = self._slots.count(None)
        # Members that see the same batches must stay at the same step, which makes them faster.
        if free and (free == len(self._slots) or not self._group.shares_batches()):
            self._fill(self._listener.more(free))
            free = self._slots.count(None)
        filled = self._filled()
        if not filled or free < len(self._slots) / 2:
            return
        left = max(member.updates_left() for _, member in filled)
        if left * self._seconds_per_update / 2 > SECONDS_TO_REGROUP:
            self._regroup()

    def _regroup(self) -> None:
        """Moves the members that are left into a smaller group."""
        moving = [(member, *self._group.slot(slot)) for slot, member in self._filled()]
        self._group = self._groups.at_least(len(moving))
        self._slots = [None] * self._group.size
        for slot, (member, carry, best) in enumerate(moving):
            self._put(slot, member, carry, best)

    # Going on

    def _advance(self) -> None:
        """Makes the updates up to the next evaluation of any member, or to the end of a stretch."""
        filled = self._filled()
        count = min(self._stretch, *(member.updates_to_do() for _, member in filled))
        began = time.perf_counter()
        self._group.run(count)
        seconds = time.perf_counter() - began
        for _, member in filled:
            member.step += count
        self._seconds_per_update = seconds / count
        # At most ten times longer: the first updates of a process are slower than the rest.
        self._stretch = max(1, min(10 * count, int(count * STRETCH_SECONDS / seconds)))

    def _stop_diverged(self) -> None:
        """Stops members whose loss is NaN or infinite; the other slots do not depend on them."""
        diverged_at = self._group.diverged_at()
        for slot, _ in self._filled():
            if diverged_at[slot] != updates.NEVER:
                self._stop(slot, "diverged", step=int(diverged_at[slot]))

    def _record(self, slots: Sequence[int]) -> None:
        """Evaluates the members of some slots and records the metrics."""
        train = self._group.totals()
        splits = {split for slot in slots for split in self._member(slot).splits()}
        measured = {split: self._group.evaluate(split) for split in sorted(splits)}
        improved = []
        for slot in slots:
            member = self._member(slot)
            own = {split: measured[split][slot] for split in member.splits()}
            if member.record(train[slot], own):
                improved.append(slot)
            if self._listener.evaluated(member, train[slot], own) and not member.is_over:
                self._stop(slot, "pruned", **own)
        self._group.forget_totals(slots)
        if improved:
            self._group.keep_best(improved)

    def _finish_over(self) -> None:
        """Finishes members that made their last update, with the metrics that a summary needs."""
        over = [(slot, member) for slot, member in self._filled() if member.is_over]
        with_best = [slot for slot, member in over if member.has_best]
        without = [slot for slot, member in over if not member.has_best]
        for some, has_best in ((with_best, True), (without, False)):
            splits = {split for slot in some for split in self._member(slot).splits_to_finish()}
            measured = {
                split: self._group.evaluate(split, best=has_best) for split in sorted(splits)
            }
            for slot in some:
                self._finish_one(slot, {split: one[slot] for split, one in measured.items()})

    def _finish_one(self, slot: int, measured: Measured) -> None:
        member = self._member(slot)
        # An update reports the loss before it: if the last one diverges, only this shows it.
        if not is_finite(measured):
            self._stop(slot, "diverged", step=member.step)
            return
        carry = self._save(slot)
        if carry is not None:
            summary = member.finish(carry.state, measured)
            self._slots[slot] = None
            self._listener.ended(member, "finished", summary)

    def _save(self, slot: int) -> Carry | None:
        """Saves a member; stops it instead where it diverged, to keep the earlier checkpoints.

        Returns:
          The saved carry; None where the member was stopped.
        """
        member = self._member(slot)
        carry, best = self._group.slot(slot)
        if not snapshot.is_sound(carry.state):
            self._stop(slot, "diverged", step=member.step)
            return None
        member.save(carry, best)
        return carry

    def _stop(self, slot: int, status: str, **facts: Any) -> None:
        member = self._member(slot)
        member.stop(status, **facts)
        self._slots[slot] = None
        self._listener.ended(member, status, facts)

    def _member(self, slot: int) -> Member:
        member = self._slots[slot]
        assert member is not None
        return member

    def _save_if_due(self) -> None:
        filled = self._filled()
        if not filled:
            return
        wanted = filled[0][1].experiment.training.checkpoint_seconds
        interval = max(wanted, self._saving_seconds / SHARE_OF_SAVING)
        if time.perf_counter() - self._saved_at >= interval:
            self.save()
