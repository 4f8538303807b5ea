"""Processes run nothing of the working directory, end with their parent, and clean up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from i2ibench.data.synthetic.drawing import SyntheticOptions
from i2ibench.data.synthetic.generate import generate
from i2ibench.processes import import_path, start_helper

MODULES = [
    "numpy",
    "PIL",
    "cv2",
    "json",
    "typing",
    "pandas",
    "torch",
    "multiprocessing",
    "pickle",
    "struct",
    "pydantic",
    "rich",
    "scipy",
    "lpips",
    "filelock",
    "tempfile",
    "signal",
    "subprocess",
    "sitecustomize",
    "usercustomize",
]
COMMAND = "import sys; from i2ibench.cli import main; sys.argv[0] = 'i2ibench'; main()"
LOADER = """
from pathlib import Path
import sys
from i2ibench.data.dataset import open_dataset
from i2ibench.data.loading import ImageSettings, TrainingLoader
if __name__ == "__main__":
    pairs = open_dataset(sys.argv[1], "train", limit=2)
    loader = TrainingLoader(pairs, ImageSettings(), batch_size=1, seed=0, workers=1)
    print(sum(1 for _ in loader.batches(0, 2)))
"""


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder that somebody downloaded: a data set, and modules that leave a mark when run."""
    folder = tmp_path / "hostile"
    generate(folder, SyntheticOptions(size=32, train=2, test=2))
    for name in MODULES:
        source = f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r} + ' ')\n"
        (folder / f"{name}.py").write_text(source)
    return folder


def _run(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "I2IBENCH_CACHE": str(folder.parent / "cache"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def _nothing_ran(hostile: Path) -> None:
    ran = hostile.parent / "ran"
    assert not ran.exists(), ran.read_text()


def _script(hostile: Path) -> str:
    """The command as installed: a script elsewhere, so that its own folder comes first."""
    script = hostile.parent / "bin" / "i2ibench"
    script.parent.mkdir(exist_ok=True)
    script.write_text(COMMAND)
    return str(script)


@pytest.mark.parametrize(
    "arguments",
    [
        ["datasets", "synthetic", "--to", "drawn", "--set", "size=32", "--set", "train=24"],
        ["evaluate", "IHC/test", "--dataset", ".", "--protocol", "bci-2022-1024"],
        ["audit", "."],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_verb_runs_no_module_of_the_folder_it_works_in(
    hostile: Path, arguments: list[str]
) -> None:
    _run([sys.executable, _script(hostile), *arguments], hostile)
    _nothing_ran(hostile)


def test_python_m_runs_no_module_of_the_folder_it_works_in(hostile: Path) -> None:
    done = _run([sys.executable, "-m", "i2ibench", "datasets", "--json"], hostile)
    assert done.returncode == 0, done.stderr
    _nothing_ran(hostile)


def test_an_empty_entry_of_pythonpath_stands_for_no_installed_package(hostile: Path) -> None:
    for early in ("sitecustomize", "usercustomize", "typing", "struct", "signal", "subprocess"):
        (hostile / f"{early}.py").unlink()  # Python itself imports these before it asks anybody
    for early in ("json", "tempfile", "pickle", "multiprocessing"):
        (hostile / f"{early}.py").unlink(missing_ok=True)
    path = os.pathsep.join(["", *import_path()])
    done = _run([sys.executable, _script(hostile), "audit", "."], hostile, PYTHONPATH=path)
    assert "numpy" not in done.stderr
    _nothing_ran(hostile)


def test_loaders_of_training_images_run_no_module_of_the_folder(hostile: Path) -> None:
    script = hostile.parent / "train.py"
    script.write_text(LOADER)
    done = _run([sys.executable, str(script), "."], hostile)
    assert done.stdout == "2\n", done.stderr
    _nothing_ran(hostile)


def test_a_helper_imports_what_its_parent_does_without_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "my_helper.py").write_text(
        "import sys\ndef main(arguments): sys.exit(len(arguments))"
    )
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), str(tmp_path / "elsewhere"), *sys.path])
    assert "" not in import_path() and str(tmp_path) not in import_path()
    helper = start_helper("my_helper", ["a", "b", "c"])
    helper.wait()
    assert helper.returncode == 3
    helper.stdin.close()


DRAWS = """
import sys
from pathlib import Path
import i2ibench.data.synthetic.generate as generate
from i2ibench.data.synthetic.drawing import SyntheticOptions
generate.os.cpu_count = lambda: 2
def told(options, folder, share, shares):
    print(folder, flush=True)
    sys.stdin.readline()
generate._draw_share = told  # of this process; its helper draws
generate.generate(Path(sys.argv[1]), SyntheticOptions(size=1024, train=200, test=0))
"""


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_a_killed_drawing_leaves_no_process_and_the_next_removes_its_folder(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", DRAWS, str(tmp_path / "set")]
    drawing = subprocess.Popen(command, stdin=-1, stdout=-1, text=True)
    assert Path(drawing.stdout.readline().strip()).is_dir()
    [helper] = _children(drawing.pid)
    drawing.send_signal(signal.SIGKILL)
    drawing.communicate()
    while not _ended(helper):  # its standard input has ended, and so does it
        os.sched_yield()
    generate(tmp_path / "set", SyntheticOptions(size=32, train=1, test=0))
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


TERMINATED = """
import os, signal, sys, threading
from pathlib import Path
# Whoever runs the tests in the background may ignore these.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
from i2ibench import cli
from i2ibench.data.synthetic import generate
*rest, name = sys.argv
def terminated(options, folder, share, shares):
    (Path(folder) / "half.png").write_bytes(b"half")
    os.kill(os.getpid(), getattr(signal, name))
    threading.Event().wait(60)
generate._draw_share = terminated
generate.os.cpu_count = lambda: 1
sys.argv = ["i2ibench", "datasets", "synthetic", "--to", *rest[1:]]
cli.main()
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_verb_that_is_ended_says_so_and_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    done = _run([sys.executable, "-c", TERMINATED, str(tmp_path / "set"), name], tmp_path)
    assert done.returncode == 130, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: interrupted")
    assert "Traceback" not in done.stderr
    assert not [*tmp_path.glob("*set*"), *tmp_path.glob(".*")]


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    code = (
        "import signal; from i2ibench.processes import interrupt_on_termination as install\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN); install()\n"
        "assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN\n"
        "assert signal.getsignal(signal.SIGTERM) not in (signal.SIG_IGN, signal.SIG_DFL)"
    )
    assert _run([sys.executable, "-c", code], tmp_path).returncode == 0
