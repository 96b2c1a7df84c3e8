"""Mutation testing: which small faults in a module would its tests not notice?

    make mutants                                  all targets of tests/mutants.toml
    make mutants TARGET=portfolio/ledger.py       one module under src/truewind
    make mutants SAMPLE=60                        of each that many, always the same
    python tests/mutants.py portfolio/ledger.py book_fill      of one module one function only

A *mutant* is the module with one small fault: `<` for `<=`, `+` for `-`, a number off by one, an argument left out. A
test must fail for it (the mutant is *killed*), or run for ever (*timeout*, which counts as killed); one that passes all
tests *survived*, and is shown. That is a missing assertion, needless code, or an *equivalent* mutant: one that cannot
change what the function does. Those are named in tests/mutants.toml with the reason, and are counted apart; one that is
named there but gets killed is an error.

mutmut makes the mutants. It cannot run them: it leaves out decorated functions, which all kernels are; and cosmic-ray
starts Python anew for each mutant, which takes hours. Here the tests are collected once, on the kernels' Python faces,
and each mutant gets a fork of that process, in which the code of one function is exchanged (`function.__code__`, so
that whoever has imported it calls the mutant) and the tests that call this function run, shortest first, until one
fails. Hypothesis draws the same examples each time. As with mutmut, code outside functions is left alone.
"""

import os
import sys

os.environ["TRUEWIND_KERNELS"] = "python"
os.environ.setdefault("POLARS_MAX_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import contextlib
import difflib
import gc
import importlib
import inspect
import pickle
import random
import resource
import signal
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import libcst as cst
import pytest
from _pytest.runner import runtestprotocol
from mutmut.mutation.file_mutation import create_mutations

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "truewind"
SECONDS, TIMES = 5.0, 4.0  # a mutant may take this many times as long as the module, and some seconds more
MEMORY = 8 << 30


class Mutant(NamedTuple):
    """One fault. function: qualified name; code: the function's source with the fault; change: what is different."""

    function: str
    code: str
    change: tuple[str, str]

    def __str__(self) -> str:
        return f"{self.function}\n    - {self.change[0]}\n    + {self.change[1]}"


class Undecorated(cst.CSTTransformer):
    """mutmut leaves decorated functions out."""

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:  # noqa: N802
        return updated_node.with_changes(decorators=[])


def mutants_of(path: Path, only: list[str]) -> list[Mutant]:
    """All mutants of a file's functions and methods, or of those named, in the order of the file."""
    plain = cst.parse_module(path.read_text()).visit(Undecorated())
    module, mutations, *_ = create_mutations(str(path), plain.code)
    owners = {id(f): f.name.value for f in module.body if isinstance(f, cst.FunctionDef)}
    for owner in module.body:
        if isinstance(owner, cst.ClassDef):
            owners |= {
                id(f): f"{owner.name.value}.{f.name.value}" for f in owner.body.body if isinstance(f, cst.FunctionDef)
            }
    found = []
    for mutation in mutations:
        function = mutation.contained_by_top_level_function
        name = owners.get(id(function))
        if function is None or name is None or (only and name not in only):
            continue
        before = module.code_for_node(function).strip()
        after = module.code_for_node(function.deep_replace(mutation.original_node, mutation.mutated_node)).strip()
        found.append(Mutant(name, after, _change(before, after)))
    return found


def _change(before: str, after: str) -> tuple[str, str]:
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))[2:]
    both = (" ⏎ ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return next(both), next(both)


def function_named(module: ModuleType, name: str) -> FunctionType:
    """The function that callers hold, without decorators around it."""
    found: Any = module
    for part in name.split("."):
        found = inspect.getattr_static(found, part)
    found = getattr(found, "fget", None) or getattr(found, "__func__", None) or found
    found = inspect.unwrap(found)
    assert isinstance(found, FunctionType), f"{name} of {module.__name__} is no function"
    return found


def switch(module: ModuleType, mutant: Mutant) -> None:
    """Let the mutant be what everybody calls, from now on."""
    function, names = function_named(module, mutant.function), dict(vars(module))
    exec(compile(mutant.code, function.__code__.co_filename, "exec"), names)
    twin = names[mutant.function.split(".")[-1]]
    function.__code__, function.__defaults__, function.__kwdefaults__ = (
        twin.__code__, twin.__defaults__, twin.__kwdefaults__
    )  # fmt: skip


class Tests:
    """A pytest plugin: instead of running the tests once, runs those that matter for each mutant."""

    def __init__(self, target: str, only: list[str], equivalent: list[dict[str, str]], sample: int = 0) -> None:
        self.target = target
        self.mutants = mutants_of(SOURCE / target, only)
        if sample:
            random.Random(8).shuffle(self.mutants)
            del self.mutants[sample:]
        self.equivalent = {(e["function"], e["was"], e["is"]) for e in equivalent}
        self.survivors: list[Mutant] = []
        self.counts: Counter[str] = Counter()
        self.wrongly_named: list[Mutant] = []

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        import hypothesis  # after pytest's own plugin, which would not be found otherwise

        hypothesis.settings.register_profile(
            "mutants", deadline=None, database=None, derandomize=True, max_examples=20,
            phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )  # fmt: skip
        hypothesis.settings.load_profile("mutants")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:  # a file could not be collected
            return False
        module = importlib.import_module("truewind." + self.target.removesuffix(".py").replace("/", "."))
        # In a fork too: a thread pool that a test starts would not survive the next one.
        calls = self._forked(600.0, lambda: called(session.items, module))
        if not isinstance(calls, list):
            raise pytest.UsageError(f"The tests of {self.target} do not pass without any fault: {calls}")
        session.config._tmp_path_factory.getbasetemp()  # one folder for all forks
        gc.freeze()  # a fork that looks through old objects copies them
        for mutant in self.mutants:
            code = function_named(module, mutant.function).__code__
            known = (code.co_qualname, code.co_firstlineno)
            chosen = sorted((seconds, i) for i, (seconds, functions) in enumerate(calls) if known in functions)
            limit = SECONDS + TIMES * sum(seconds for seconds, _ in chosen)
            work = partial(outcome_of, module, mutant, [session.items[i] for _, i in chosen])
            self._count(mutant, self._forked(limit, work) if chosen else "called by no test")
        return True

    def _count(self, mutant: Mutant, outcome: str) -> None:
        named = (mutant.function, *mutant.change) in self.equivalent
        if outcome in ("killed", "timeout"):
            self.wrongly_named += [mutant] * named
        elif named:
            outcome = "equivalent"
        else:
            self.survivors.append(mutant)
            print(f"\n  {outcome}: {mutant}", flush=True)
        self.counts[outcome] += 1
        print(".", end="", flush=True)

    @staticmethod
    def _forked(seconds: float, work: Callable[[], Any]) -> Any:
        """What `work` returns, done in a fork; "timeout" after so much CPU time, "killed" if it dies of the fault."""
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            gc.disable()
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            signal.setitimer(signal.ITIMER_PROF, seconds)
            signal.setitimer(signal.ITIMER_REAL, 10.0 * seconds)
            with contextlib.suppress(KeyboardInterrupt, SystemExit, pytest.exit.Exception):
                try:
                    found = work()
                except Exception as error:
                    found = f"{type(error).__name__}: {error}"  # of ours, not of a test
                with os.fdopen(write, "wb") as answer:
                    pickle.dump(found, answer)
            os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as answer:
            data = answer.read()
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGPROF, signal.SIGALRM):
            return "timeout"
        return pickle.loads(data) if data else "killed"

    def report(self) -> str:
        killed = self.counts["killed"] + self.counts["timeout"]
        real = sum(self.counts.values()) - self.counts["equivalent"]
        parts = ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))
        return (
            f"{self.target}: {sum(self.counts.values())} mutants, {parts}; {killed / max(1, real):.1%} of {real} killed"
        )


def called(items: list[pytest.Item], module: ModuleType) -> "list[tuple[float, set[tuple[str, int]]]] | str":
    """Seconds of each test, and which functions of `module` it calls; the name of the first test that fails."""
    file, found = str(module.__file__), []
    for item, following in _with_next(items):
        functions: set[tuple[str, int]] = set()

        def note(frame: Any, event: str, _: Any, functions: set[tuple[str, int]] = functions) -> None:
            if event == "call" and frame.f_code.co_filename == file:
                functions.add((frame.f_code.co_qualname, frame.f_code.co_firstlineno))

        began = time.process_time()
        sys.setprofile(note)
        reports = runtestprotocol(item, log=False, nextitem=following)
        sys.setprofile(None)
        if any(report.failed for report in reports):
            return item.nodeid
        found.append((time.process_time() - began, functions))
    return found


def outcome_of(module: ModuleType, mutant: Mutant, items: list[pytest.Item]) -> str:
    """Whether one of these tests fails for the mutant: "killed" or "survived"."""
    switch(module, mutant)
    for item, following in _with_next(items):
        if any(report.failed for report in runtestprotocol(item, log=False, nextitem=following)):
            return "killed"
    return "survived"


def _with_next(items: list[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item | None]]:
    return zip(items, [*items[1:], None], strict=True)


def test_target(target: str, only: list[str], setting: dict[str, Any], sample: int) -> bool:
    """Run all mutants of one target; False where one survived, or an equivalent one was killed."""
    tests = [str(ROOT / "tests" / name) for name in setting["tests"]]
    plugin = Tests(target, only, setting.get("equivalent", []), sample)
    print(f"{target}: {len(plugin.mutants)} mutants")
    began = time.monotonic()
    options = ["-p", "no:cacheprovider", "-qq", "--tb=native", "--assert=plain", "--rootdir", str(ROOT)]
    with tempfile.TemporaryDirectory() as folder:
        pytest.main([*options, "--basetemp", folder + "/tests", *tests], plugins=[plugin])
    for mutant in plugin.wrongly_named:
        print(f"\n  named equivalent, but killed: {mutant}")
    print(f"\n{plugin.report()}, in {time.monotonic() - began:.0f} s", flush=True)
    return not plugin.survivors and not plugin.wrongly_named


def main(arguments: list[str]) -> int:
    settings = tomllib.loads((ROOT / "tests" / "mutants.toml").read_text())
    parser = argparse.ArgumentParser(description="Which small faults would the tests not notice?")
    parser.add_argument("target", nargs="?", choices=settings, help="module under src/truewind; all without one")
    parser.add_argument("function", nargs="*", help="only mutants of these functions")
    parser.add_argument("--sample", type=int, default=0, help="of each target so many mutants")
    given = parser.parse_args(arguments)
    os.nice(5)
    good = True
    for name in [given.target] if given.target else list(settings):
        child = os.fork()  # each target gets tests of its own, collected anew
        if child == 0:
            os._exit(0 if test_target(name, given.function, settings[name], given.sample) else 1)
        good &= os.waitpid(child, 0)[1] == 0
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
