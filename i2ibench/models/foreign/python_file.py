"""Loading a class from a Python file that a user names, with the files beside it that it imports.

The only import from a place that is not installed: of the named file, never of the working
directory. Source is compiled anew each time, because a stale ``.pyc`` would run other code than the
hash says.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from i2ibench.errors import UsageError, named
from i2ibench.plugin_code import Contents, contents


class _SourceLoader(SourceFileLoader):
    """Compiles the source, and neither reads nor writes ``__pycache__``."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = compile(self.get_data(path), path, "exec", dont_inherit=True)
        return code


class _LocalModules:
    """Finds the modules beside named files; each name belongs to one folder of a process."""

    def __init__(self) -> None:
        self.folders: dict[str, Path] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        folder = self.folders.get(name.partition(".")[0])
        if folder is None:
            return None
        spec = PathFinder.find_spec(name, [str(folder)] if path is None else path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _SourceLoader(spec.loader.name, spec.loader.path)
        return spec


_LOCAL = _LocalModules()


def load_file(file: Path) -> tuple[ModuleType, Contents]:
    """Import a Python file under a name of its own; the same code is imported once.

    Raises:
        UsageError: there is no such file, it fails, or what it imports from beside it is already
            another module of this process.
    """
    if not file.is_file():
        raise UsageError(f"{file}: no such file; name a Python file, as in mynet.py:MyNet")
    file = file.resolve()
    read = contents(file)
    name = f"_file_{''.join(c if c.isalnum() else '_' for c in file.stem)}_{read.sha256[:12]}"
    known = sys.modules.get(name)
    if known is not None and known.__file__ == str(file):
        return known, read
    _make_way(file, read)
    spec = importlib.util.spec_from_file_location(name, file, loader=_SourceLoader(name, str(file)))
    if spec is None or spec.loader is None:
        raise UsageError(f"{file}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise UsageError(f"{file}{_line(error, read)}: cannot be loaded: {named(error)}") from error
    return module, read


def _make_way(file: Path, read: Contents) -> None:
    """Let the files beside ``file`` be imported; an earlier state of them is forgotten."""
    folder = file.parent
    if _LOCAL not in sys.meta_path:
        sys.meta_path.insert(0, _LOCAL)
    tops = {path.relative_to(folder).parts[0].removesuffix(".py") for path in read.files}
    for top in sorted(tops - {file.stem}):
        known = sys.modules.get(top)
        origin = getattr(known, "__file__", None)
        if known is not None and (origin is None or folder not in Path(origin).resolve().parents):
            raise UsageError(
                f"{file}: imports {top} from beside it, but this process has imported another "
                f"{top}{f' ({origin})' if origin else ''}; rename one, or use another process"
            )
        for loaded in [n for n in sys.modules if n == top or n.startswith(f"{top}.")]:
            del sys.modules[loaded]
        _LOCAL.folders[top] = folder


def _line(error: BaseException, read: Contents) -> str:
    """Return ``:LINE`` of the file's own code in which an import failed."""
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f":{error.lineno}"
    own = {str(path) for path in read.files}
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__)
             if frame.f_code.co_filename in own]  # fmt: skip
    return f":{lines[-1]}" if lines else ""
