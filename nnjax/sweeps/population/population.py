"""Training a population: several trials at once, each as if it were alone."""

import time
from collections.abc import Sequence
from typing import Any, Protocol

from nnjax.sweeps.population.group import Groups
from nnjax.sweeps.population.member import Measured, Member, is_finite
from nnjax.training import snapshot, updates
from nnjax.training.updates import Carry

STRETCH_SECONDS = 0.25
"""Updates go to the device in stretches of about this long; signals are heeded between them."""

SHARE_OF_SAVING = 0.05
"""Checkpoints of many trials take time; they are saved so seldom that it is this share at most."""

SECONDS_TO_REGROUP = 10.0
"""Empty lanes are given up where they would cost longer than this, about what compiling takes."""


class Listener(Protocol):
    """Whom a population tells how its members fare."""

    def evaluated(self, member: Member, train: dict[str, float], measured: Measured) -> bool:
        """Hears of an evaluation; returns whether the member is to be given up."""
        ...

    def ended(self, member: Member, status: str, summary: dict[str, Any]) -> None:
        """Hears that a member is "finished", "pruned" or "diverged"."""
        ...

    def more(self, most: int) -> Sequence[Member]:
        """More members for lanes that are free."""
        ...

    def went_on(self) -> None:
        """Hears that some updates were made; may raise to stop, having called ``stop``."""
        ...


class Population:
    """Members in the lanes of a group, refilled as they end."""

    def __init__(self, members: Sequence[Member], groups: Groups, listener: Listener):
        """Fills the lanes.

        Args:
          members: trials of one program.
          groups: that program's.
          listener: is told how members fare.
        """
        self._groups, self._listener = groups, listener
        self._stretch = 1
        self._seconds_per_update = 0.0
        self._saved_at, self._saving_seconds = time.perf_counter(), 0.0
        self._group = groups.at_least(len(members))
        self._lanes: list[Member | None] = [None] * self._group.size
        self._fill(members)

    def train(self) -> None:
        """Trains until the last member has ended and there are no more."""
        while self._filled():
            self._advance()
            self._give_up_diverged()
            due = [lane for lane, member in self._filled() if member.is_due]
            if due:
                self._record(due)
                self._finish_over()
                self._refill()
            self._save_if_due()
            # Last, when what is due is on record: it may raise, to stop.
            self._listener.went_on()

    def save(self) -> None:
        """Saves a checkpoint of every member."""
        began = time.perf_counter()
        for lane, _ in self._filled():
            self._save(lane)
        self._saved_at = time.perf_counter()
        self._saving_seconds = self._saved_at - began

    def stop(self) -> list[Member]:
        """Saves every member, to go on later, and returns them."""
        self.save()
        members = [member for _, member in self._filled()]
        for member in members:
            member.stop("interrupted")
        self._lanes = [None] * len(self._lanes)
        return members

    # Lanes

    def _filled(self) -> list[tuple[int, Member]]:
        return [(lane, member) for lane, member in enumerate(self._lanes) if member is not None]

    def _fill(self, members: Sequence[Member]) -> None:
        """Puts members into free lanes.

        One that was saved after its last update, by a worker that then died, is only finished.
        """
        free = (lane for lane, member in enumerate(self._lanes) if member is None)
        for lane, member in zip(free, members, strict=False):
            carry, best = member.begin(self._group)
            self._put(lane, member, carry, best)
        self._finish_over()

    def _put(self, lane: int, member: Member, carry: Any, best: Any) -> None:
        self._lanes[lane] = member
        self._group.put(lane, member.values, member.experiment.training, carry, best)

    def _refill(self) -> None:
        """Puts waiting trials into free lanes, or gives the lanes up."""
        free = self._lanes.count(None)
        # Members that see the same batches are faster as long as all are at the same step.
        if free and (free == len(self._lanes) or not self._group.shares_batches()):
            self._fill(self._listener.more(free))
            free = self._lanes.count(None)
        filled = self._filled()
        if not filled or free < len(self._lanes) / 2:
            return
        left = max(member.updates_left() for _, member in filled)
        if left * self._seconds_per_update / 2 > SECONDS_TO_REGROUP:
            self._regroup()

    def _regroup(self) -> None:
        """Moves the members that are left into a smaller group."""
        moving = [(member, *self._group.lane(lane)) for lane, member in self._filled()]
        self._group = self._groups.at_least(len(moving))
        self._lanes = [None] * self._group.size
        for lane, (member, carry, best) in enumerate(moving):
            self._put(lane, member, carry, best)

    # Going on

    def _advance(self) -> None:
        """Makes updates up to the next evaluation of any member, or to the end of the stretch."""
        filled = self._filled()
        count = min(self._stretch, *(member.updates_to_do() for _, member in filled))
        began = time.perf_counter()
        self._group.run(count)
        seconds = time.perf_counter() - began
        for _, member in filled:
            member.step += count
        self._seconds_per_update = seconds / count
        # Ten times at most: the first updates of a process are slower than the rest.
        self._stretch = max(1, min(10 * count, int(count * STRETCH_SECONDS / seconds)))

    def _give_up_diverged(self) -> None:
        """Ends members whose loss is no number any more; their neighbours do not notice."""
        diverged_at = self._group.diverged_at()
        for lane, _ in self._filled():
            if diverged_at[lane] != updates.NEVER:
                self._stop(lane, "diverged", step=int(diverged_at[lane]))

    def _record(self, lanes: Sequence[int]) -> None:
        """Evaluates the members of some lanes and tells of it."""
        train = self._group.totals()
        splits = {split for lane in lanes for split in self._member(lane).splits()}
        measured = {split: self._group.evaluate(split) for split in sorted(splits)}
        improved = []
        for lane in lanes:
            member = self._member(lane)
            own = {split: measured[split][lane] for split in member.splits()}
            if member.record(train[lane], own):
                improved.append(lane)
            if self._listener.evaluated(member, train[lane], own) and not member.is_over:
                self._stop(lane, "pruned", **own)
        self._group.forget_totals(lanes)
        if improved:
            self._group.keep_best(improved)

    def _finish_over(self) -> None:
        """Measures what the summaries of members that are over lack, and ends them."""
        over = [(lane, member) for lane, member in self._filled() if member.is_over]
        with_best = [lane for lane, member in over if member.has_best]
        without = [lane for lane, member in over if not member.has_best]
        for some, has_best in ((with_best, True), (without, False)):
            splits = {split for lane in some for split in self._member(lane).splits_to_finish()}
            measured = {
                split: self._group.evaluate(split, best=has_best) for split in sorted(splits)
            }
            for lane in some:
                self._finish_one(lane, {split: one[lane] for split, one in measured.items()})

    def _finish_one(self, lane: int, measured: Measured) -> None:
        member = self._member(lane)
        # The last update's own loss is that before it, so what it did shows only here.
        if not is_finite(measured):
            self._stop(lane, "diverged", step=member.step)
            return
        carry = self._save(lane)
        if carry is not None:
            summary = member.finish(carry.state, measured)
            self._lanes[lane] = None
            self._listener.ended(member, "finished", summary)

    def _save(self, lane: int) -> Carry | None:
        """Saves a member; ends one that has diverged, as it would displace good checkpoints.

        Returns:
          What was saved of it, if anything.
        """
        member = self._member(lane)
        carry, best = self._group.lane(lane)
        if not snapshot.is_sound(carry.state):
            self._stop(lane, "diverged", step=member.step)
            return None
        member.save(carry, best)
        return carry

    def _stop(self, lane: int, status: str, **facts: Any) -> None:
        member = self._member(lane)
        member.stop(status, **facts)
        self._lanes[lane] = None
        self._listener.ended(member, status, facts)

    def _member(self, lane: int) -> Member:
        member = self._lanes[lane]
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
