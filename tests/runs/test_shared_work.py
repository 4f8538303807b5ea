"""Pieces of one job in the places of an executor."""

from __future__ import annotations

import pytest

from i2ibench.executors import Ended, Work
from i2ibench.runs.shared_work import do_all, said_last


class Scripted:
    """An executor of two places whose pieces end as they are told to."""

    def __init__(self, **ends):
        self.ends = {name: [*each] for name, each in ends.items()}
        self.running, self.started, self.stopped = [], [], False

    @property
    def free(self):
        return 2 - len(self.running)

    def start(self, work):
        self.running.append(work.name)
        self.started.append(work.name)

    def ended(self, patience):
        name = self.running.pop(0)
        end = self.ends[name].pop(0)
        if isinstance(end, BaseException):
            raise end
        code, lost = end
        return [Ended(name, code, "its machine has gone" if lost else "", lost)]

    def stop(self):
        self.stopped = True


def works(tmp_path, *names):
    return [Work(name, "module", (), tmp_path / name) for name in names]


DONE, FAILED, LOST = (0, False), (3, False), (-9, True)


def test_all_are_done_and_looked_at(tmp_path):
    executor, looks = Scripted(a=[DONE], b=[DONE], c=[DONE]), []
    assert do_all(works(tmp_path, "a", "b", "c"), executor, lambda: looks.append(1)) is None
    assert executor.started == ["a", "b", "c"] and looks


def test_what_a_lost_machine_had_is_started_again(tmp_path):
    executor = Scripted(a=[LOST, LOST, DONE], b=[DONE])
    assert do_all(works(tmp_path, "a", "b"), executor, lambda: None) is None
    assert executor.started.count("a") == 3


def test_what_loses_every_machine_is_given_up(tmp_path):
    executor = Scripted(a=[LOST] * 4)
    assert do_all(works(tmp_path, "a"), executor, lambda: None).reason == "its machine has gone"
    assert executor.started.count("a") == 4


def test_a_failure_ends_the_others(tmp_path):
    executor = Scripted(a=[FAILED], b=[DONE], c=[DONE])
    assert do_all(works(tmp_path, "a", "b", "c"), executor, lambda: None) == Ended("a", 3)
    assert executor.stopped and "c" not in executor.started


def test_an_interruption_ends_all(tmp_path):
    executor = Scripted(a=[KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        do_all(works(tmp_path, "a"), executor, lambda: None)
    assert executor.stopped


def test_the_last_line_of_what_was_printed_is_told(tmp_path):
    [work] = works(tmp_path, "a")
    assert said_last(work) == ""
    work.log.write_text("Traceback\nValueError: no\n\n")
    assert said_last(work) == "ValueError: no"
