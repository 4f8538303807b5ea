"""What starts the runs of a campaign, one after another or several at a time, and survives.

It keeps nothing of its own: whatever it knows of a run it reads from the run's folder. So a driver
that is killed loses nothing, and two of them share the work. Nothing is trained twice: a run is
locked by whoever makes it, and of runs with one training the others start when it is done.
"""

from __future__ import annotations

import platform
import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from i2ibench.campaigns.planned_runs import PlannedRun, seed_by_seed
from i2ibench.campaigns.run_state import RunState, state_of
from i2ibench.campaigns.run_status import RunStatus, read_status, write_status
from i2ibench.campaigns.run_task import work_of
from i2ibench.campaigns.worker import BUSY
from i2ibench.errors import DataError, Interrupted, MissingError, UsageError
from i2ibench.executors import Ended, Executor
from i2ibench.provenance import now
from i2ibench.wording import count

# While something runs elsewhere, its folder is looked at this often.
_LOOK_SECONDS = 1.0
# Otherwise the end of a process wakes the driver, and Ctrl-C; but a signal that comes just before a
# wait is seen after it.
_WAIT_SECONDS = 5.0
# What the same command would answer again.
_NEVER_RETRIED = {UsageError.exit_code, DataError.exit_code, MissingError.exit_code}
# A run whose machine was lost is not at fault; still, it may be what ends its machines.
_LOST_TRIES = 3


@dataclass
class Drive:
    """Runs on their way.

    Args:
        runs: of the campaign; those that are finished, or cannot start, are left alone.
        executor: where they run.
        retries: how often a run that fails is tried again, beyond the first time. Wrong usage,
            bad data and missing weights are not tried again.
        tell: takes a line where something happens.
        memory_mb: the most that a run is known to hold, by its id.
    """

    runs: Sequence[PlannedRun]
    executor: Executor
    retries: int
    tell: Callable[[str], None]
    memory_mb: Mapping[str, float] = field(default_factory=dict)
    _attempts: dict[str, int] = field(default_factory=dict)
    _waiting: dict[str, PlannedRun] = field(default_factory=dict)
    _active: dict[str, PlannedRun] = field(default_factory=dict)
    _elsewhere: set[str] = field(default_factory=set)
    _lost: Counter[str] = field(default_factory=Counter)

    def to_the_end(self) -> None:
        """Start runs until all are finished or have failed.

        Raises:
            Interrupted: after Ctrl-C or SIGTERM, when all processes have ended.
        """
        kinds = [(run, state_of(run).kind) for run in seed_by_seed(self.runs)]
        self._waiting = {run.id: run for run, kind in kinds if kind not in ("finished", "blocked")}
        for kind, said in (("finished", "already finished"), ("blocked", "cannot start")):
            number = sum(each == kind for _, each in kinds)
            if number:
                self.tell(f"{count(number, 'run')} {said}")
        try:
            while self._waiting or self._active:
                self._start_what_can()
                quiet = self._active and not self._elsewhere
                for end in self.executor.ended(_WAIT_SECONDS if quiet else _LOOK_SECONDS):
                    self._take(end)
        except KeyboardInterrupt:
            self.tell(f"stopping {count(len(self._active), 'run')}; again to kill")
            self.executor.stop()
            left = sum(state_of(run).kind not in ("finished", "blocked") for run in self.runs)
            of_all = f"{left} of {count(len(self.runs), 'run')} left"
            raise Interrupted(f"stopped, {of_all}; the same command continues") from None
        except BaseException:
            self.executor.stop()
            raise

    def _start_what_can(self) -> None:
        self._elsewhere.clear()
        for run in [*self._waiting.values()]:
            if not self.executor.free:
                return
            state = state_of(run)
            if state.kind == "finished":  # by another driver, or by hand
                del self._waiting[run.id]
                self.tell(f"finished elsewhere: {run.id} {run.title}")
            elif state.running:
                self._elsewhere.add(run.id)
            elif self._attempts.get(run.id, 0) > self.retries:  # it was tried elsewhere since
                del self._waiting[run.id]
                self.tell(f"failed elsewhere: {run.id} {run.title}: {state.reason}")
            elif not self._trains_already(run):
                self._start(run)

    def _trains_already(self, run: PlannedRun) -> bool:
        """Whether another run is busy with the training that this one needs."""
        if not run.training:
            return False
        group = [each for each in self.runs if each.training == run.training]
        states = {each.id: state_of(each) for each in group}
        if any(state.kind in ("trained", "translated", "finished") for state in states.values()):
            return False
        others = [each for each in group if each.id != run.id]
        if any(states[each.id].running and each.id not in self._active for each in others):
            self._elsewhere.add(run.id)
            return True
        return any(each.id in self._active for each in others)

    def _start(self, run: PlannedRun) -> None:
        attempt = self._attempts.get(run.id, 0) + 1
        self._attempts[run.id] = attempt
        self.executor.start(work_of(run, attempt, self.memory_mb.get(run.id)))
        del self._waiting[run.id]
        self._active[run.id] = run
        again = f", attempt {attempt}" if attempt > 1 else ""
        self.tell(f"started: {run.id} {run.title}{again}")

    def _take(self, end: Ended) -> None:
        run = self._active.pop(end.name)
        if end.code == BUSY:
            self._attempts[run.id] -= 1
            self._waiting[run.id] = run
            return
        state = state_of(run)
        if state.kind == "finished":
            self.tell(f"finished: {run.id} {run.title}")
            return
        if end.lost and self._lost[run.id] < _LOST_TRIES:
            self._lost[run.id] += 1
            self._attempts[run.id] -= 1
            self._waiting[run.id] = run
            self.tell(f"lost, and is started again: {run.id} {run.title}: {end.reason}")
            return
        if state.running:  # another driver has taken it up already, and it is waited for
            self._waiting[run.id] = run
            return
        state = self._failure(run, end, state)
        tries = self._attempts[run.id]
        if tries <= self.retries and end.code not in _NEVER_RETRIED:
            self._waiting[run.id] = run
            self.tell(f"failed, and is tried again: {run.id} {run.title}: {state.reason}")
        else:
            self.tell(f"failed: {run.id} {run.title}: {state.reason}")

    def _failure(self, run: PlannedRun, end: Ended, state: RunState) -> RunState:
        """Return why a run failed; what its process could not say is written for it."""
        if state.kind == "failed" and state.status is not None and end.code > 0:
            return state
        folder = run.folder
        if folder is None:
            return state
        reason = end.reason or how_it_ended(end.code)
        if end.code == Interrupted.exit_code and state.reason:
            reason = state.reason
        elif end.code >= 0 and not end.lost:
            reason = f"{reason}; see {folder.log}"
        try:
            said = read_status(folder.status)
        except DataError:
            said = None
        said = said or RunStatus(
            state="failed",
            attempt=self._attempts[run.id],
            host=platform.node(),
            pid=0,
            started=now(),
            updated=now(),
        )
        update = {"state": "failed", "reason": reason, "exit_code": end.code, "updated": now()}
        write_status(folder.status, said.model_copy(update=update))
        return state_of(run)


def how_it_ended(code: int) -> str:
    """Return in words how a process ended that said nothing itself."""
    if code >= 0:
        return f"its process ended with exit code {code} without a result"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    memory = ", as a system does that runs out of memory" if name == "SIGKILL" else ""
    return f"its process was killed by {name}{memory}"
