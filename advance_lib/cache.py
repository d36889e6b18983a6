"""What was computed once is kept: keys, code fingerprints, locks and atomic writes.

Everything generated lies under one build folder. An entry is a folder named after the hash of all
that determines its content: configuration, data and code. It appears under its final name only when
it is whole, so a reader never meets half an entry.
"""

import ast
import errno
import hashlib
import inspect
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import CodeType

from filelock import FileLock

PACKAGE = Path(__file__).parent
OURS = (PACKAGE.name, "advance_bench")
FULL = (errno.ENOSPC, errno.EDQUOT)
FEW = 1_000_000  # bytes; a disk with no more is full


class UserError(Exception):
    """A problem that the user can mend; its message names the culprit and the remedy."""


def build_folder() -> Path:
    """Return the folder of everything generated: ``$ADVANCE_BUILD``, else ``_build`` beside the package.

    An installed package without a checkout around it uses ``_build`` in the working directory.
    """
    if "ADVANCE_BUILD" in os.environ:
        return Path(os.environ["ADVANCE_BUILD"]).resolve()
    checkout = PACKAGE.parent
    return (checkout if (checkout / "pyproject.toml").exists() else Path.cwd()) / "_build"


def cores() -> int:
    """Return how many processes may run at once: the cores this process is allowed to use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def digest(*parts: object) -> str:
    """Return a 16-digit hexadecimal key of JSON-serialisable parts (dictionaries in any order)."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _of_our_own(node: ast.AST) -> bool:
    """Whether a statement imports from this package."""
    modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    modules += [name.name for name in node.names] if isinstance(node, ast.Import) else []
    return any(module.split(".")[0] == PACKAGE.name for module in modules)


def _computing(tree: ast.Module) -> ast.Module:
    """Return a program without docstrings and without where its names are imported from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and str(node.value).startswith(f"{PACKAGE.name}."):
            node.value = ""  # a module's own name, as it is given to `code_digest`
        for part in ("body", "orelse", "finalbody"):
            if isinstance(statements := getattr(node, part, None), list):
                setattr(node, part, [statement for statement in statements if not _of_our_own(statement)])
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return tree


def _tree(node: object) -> object:
    """Return a syntax tree as lists, without what is empty: newer Pythons have more fields, which older code leaves."""
    if isinstance(node, list):
        return [_tree(part) for part in node]
    if isinstance(node, ast.AST):
        fields = ((name, getattr(node, name, None)) for name in node._fields)
        return [type(node).__name__, *([name, _tree(value)] for name, value in fields if value not in (None, []))]
    return repr(node)


def syntax_digest(source: str) -> str:
    """Return a key of a program text that ignores comments, docstrings, layout and where its names come from.

    It is the same in every version of Python.
    """
    return digest(_tree(_computing(ast.parse(source))))


def _module_file(module: str) -> Path:
    path = PACKAGE.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imported_modules(source: str) -> Iterator[str]:
    """Yield the modules of ours that some code imports, by their dotted names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in OURS:
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield inner if _module_file(inner).exists() else node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] in OURS)


# Plumbing that cannot change a result: editing it must not retrain anything.
NEUTRAL_MODULES = {
    "advance_lib",
    "advance_lib.cache",
    "advance_lib.data.fetching",
    "advance_lib.models.weights",
}


@cache
def _module_digest(name: str) -> tuple[list[str], tuple[str, ...]]:
    """Return the keys of a module's own code, tables and scripts, and the modules that it imports from here."""
    file = _module_file(name)
    source = file.read_text(encoding="utf-8")
    named = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
    tables = [file_digest(table) for table in sorted(file.parent.glob("*.csv")) if table.name in named]
    scripts = [file_digest(script) for script in sorted(file.parent.glob("scripts/*.js")) if script.stem in named]
    return [syntax_digest(source), *tables, *scripts], tuple(imported_modules(source))


@cache
def code_digest(module: str) -> str:
    """Return a key of the code behind a module: its syntax tree and those of all it imports from here.

    Comments, docstrings and the names of modules do not count, so an edited comment or a moved file does not retrain
    and an edited loss does. A table or a script counts for the modules that name it.

    Args:
        module: dotted name, such as ``"advance_lib.training.loop"``.
    """
    waiting, seen = [module], {}
    while waiting:
        name = waiting.pop()
        if name in seen or name in NEUTRAL_MODULES:
            continue
        seen[name], imported = _module_digest(name)
        waiting.extend(imported)
    return digest(sorted(seen.values()))


def code_of(thing: object) -> str | None:
    """Return a key of a function or class that somebody else defined, in a notebook say; None for what is ours.

    Its source counts, and so do the constants, functions and classes of the same module that it names. What lies
    behind anything else, such as a list that is filled elsewhere, does not.

    Args:
        thing: a function, a class, or None.
    """
    home = getattr(thing, "__module__", None)
    if thing is None or (home or "").split(".")[0] == PACKAGE.name:
        return None
    waiting, seen = [thing], {}
    while waiting:
        one = waiting.pop()
        if one.__qualname__ in seen:
            continue
        functions = [one] if inspect.isfunction(one) else [f for f in vars(one).values() if inspect.isfunction(f)]
        try:
            seen[one.__qualname__] = syntax_digest(textwrap.dedent(inspect.getsource(one)))
        except (OSError, SyntaxError):  # typed at a prompt, or a lambda in the middle of a line
            seen[one.__qualname__] = [(f.__code__.co_code.hex(), repr(f.__code__.co_consts)) for f in functions]
        for function in functions:
            for name in sorted(set(_names(function.__code__)) & set(function.__globals__)):
                value = function.__globals__[name]
                if isinstance(value, int | float | str | bool | tuple | None):
                    seen[f"{one.__qualname__}: {name}"] = repr(value)
                elif getattr(value, "__module__", None) == home and (
                    inspect.isfunction(value) or inspect.isclass(value)
                ):
                    waiting.append(value)
    return digest(seen)


def registered(registry: str, name: str | None) -> object:
    """Return what stands in a registry under a name; None where there is nothing.

    A registry whose module was never imported has only what is ours: nobody can have added to it, so it is not
    imported for this question, which may be one about finished runs and need no PyTorch.

    Args:
        registry: dotted name of the dictionary, its module first.
        name: of the entry.
    """
    module, _, attribute = registry.rpartition(".")
    return getattr(sys.modules.get(module), attribute, {}).get(name)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary name to write to, and move it onto ``path`` if nothing went wrong.

    Two processes may write the same file at once; the last one wins and neither leaves a half.

    Raises:
        OSError: names ``path`` where the system refused the temporary name, or where the disk is full, whatever a
            library says of that.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield partial
        os.replace(partial, path)
    except Exception as error:
        number, name = getattr(error, "errno", None), getattr(error, "filename", None)
        if number is None and shutil.disk_usage(path.parent).free < FEW:
            number = errno.ENOSPC
        if number and (name == str(partial) or (name is None and number in FULL)):
            raise OSError(number, os.strerror(number), str(path)) from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def _take(path: Path) -> None:
    with open(path, "r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            if error.errno in FULL:
                raise  # else this file system takes no space in advance


@contextmanager
def space_for(path: Path, size: int) -> Iterator[None]:
    """Take the space of a file that is made meanwhile: a memory map without space behind it kills its process.

    Args:
        path: file.
        size: its bytes, about.

    Raises:
        UserError: the disk has not as much; says how much is missing.
    """
    try:
        if shutil.disk_usage(path.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        yield
        if hasattr(os, "posix_fallocate"):
            _take(path)
    except OSError as error:
        if error.errno not in FULL:
            raise
        path.unlink(missing_ok=True)
        free = shutil.disk_usage(path.parent).free
        missing = f"{(size - free) / 1e6:,.1f} MB are missing" if free < size else "a quota is reached"
        raise UserError(
            f"{path.parent}: {size / 1e6:,.1f} MB are needed and {free / 1e6:,.1f} MB are free: {missing}; "
            "make room, or let ADVANCE_BUILD name a folder on another disk"
        ) from error


def write_json(path: Path, content: object) -> None:
    """Write JSON whole or not at all."""
    with written_whole(path) as partial:
        partial.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")


def entry(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """Return the folder of a cache entry, made first where it is missing.

    ``make`` fills a folder with the suffix ``.partial``, which outlives an interruption, so a ``make``
    that looks at what is already there resumes. A lock keeps two processes from doing the same work.

    Args:
        kind: sub-folder of the build folder, such as ``"features"``.
        key: hash of all that determines the content.
        make: fills the folder that it is given.
    """
    final = build_folder() / kind / key
    if final.exists():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(final.with_suffix(".lock")):
        if not final.exists():
            partial = final.with_suffix(".partial")
            partial.mkdir(exist_ok=True)
            make(partial)
            os.replace(partial, final)
    return final


def remove(paths: Iterable[Path]) -> None:
    """Delete files or folders that may not be there."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
