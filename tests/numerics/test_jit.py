"""Compiled code is never stale, is made once, and agrees with its Python face."""

import gc
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from truewind.numerics import jit

MAIN = """
import json, sys
sys.path[:0] = [{desk!r}, {library!r}]
from truewind import features
from desk.caller import total
found = features.columns(["desk.mine:Mine(3)"], {{"close": [1.0, 2.0]}})
print(json.dumps({{
    "total": total(1.0),
    "feature": found["mine_3"].tolist(),
    "compiled": sum(total.stats.cache_misses.values()),
    "loaded": sum(total.stats.cache_hits.values()),
}}))
"""
CALLER = """
from truewind.numerics.jit import kernel
from desk.beside import beside
from desk.parts.deep import deep
from shelf import shelf
from figures import FIGURE

@kernel
def total(x):
    return x + beside(x) + deep(x) + shelf(x) + FIGURE
"""
MINE = """
from truewind.features import Feature, parameter
from truewind.numerics.jit import kernel
from desk.beside import beside

@kernel
def mine(x, times):
    return times * beside(x)

class Mine(Feature):
    \"\"\"A user's own feature, whose step calls a kernel in another file.\"\"\"

    times: int = parameter(1, 1, 10)
    step = staticmethod(mine)
"""


def callee(name: str, value: float) -> str:
    return f"from truewind.numerics.jit import kernel\n\n@kernel\ndef {name}(x):\n    return {value} * x\n"


class Project:
    """A user's package, and a second folder of his that its kernels import from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("desk/desk/__init__.py", "")
        self.write("desk/desk/caller.py", CALLER)
        self.write("desk/desk/mine.py", MINE)
        self.write("desk/desk/beside.py", callee("beside", 10.0))
        self.write("desk/desk/parts/__init__.py", "")
        self.write("desk/desk/parts/deep.py", callee("deep", 100.0))
        self.write("library/shelf.py", callee("shelf", 1000.0))
        self.write("library/figures.py", "FIGURE = 10000.0\n")

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self) -> dict:
        main = MAIN.format(desk=str(self.folder / "desk"), library=str(self.folder / "library"))
        environment = {**os.environ, "TRUEWIND_CACHE": str(self.folder / "cache"), "TRUEWIND_KERNELS": "compiled"}
        done = subprocess.run(
            [sys.executable, "-c", main], env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_an_edited_callee_is_never_run_stale_and_unedited_code_is_compiled_once(project: Project) -> None:
    """An edit of any file that a value comes from shows in the next process; without one the cache serves it."""
    first = project.run()
    assert (first["total"], first["feature"], first["compiled"]) == (11111.0, [30.0, 60.0], 1)
    again = project.run()
    assert (again["total"], again["feature"]) == (11111.0, [30.0, 60.0])
    assert (again["compiled"], again["loaded"]) == (0, 1)
    project.write("desk/desk/beside.py", callee("beside", 20.0))
    edited = project.run()
    assert (edited["total"], edited["feature"]) == (11121.0, [60.0, 120.0])
    project.write("desk/desk/parts/deep.py", callee("deep", 200.0))
    assert project.run()["total"] == 11221.0
    project.write("library/shelf.py", callee("shelf", 2000.0))
    assert project.run()["total"] == 12221.0
    project.write("library/figures.py", "FIGURE = 20000.0\n")
    assert project.run()["total"] == 22221.0


FACES = """
import hashlib, json
import numpy as np
from truewind import features
from truewind.features.checks import sample_bars
specs = [one["spec"] for one in features.describe() if one["family"] != "across"]  # these need many symbols
bars = sample_bars(300, features.stream(specs).inputs)
bars["close"][[5, 80, 81]] = np.nan
found = features.columns(specs, bars)
bits = {name: np.nan_to_num(values, nan=-1e99).tobytes() for name, values in found.items()}
print(json.dumps({name: hashlib.sha256(held).hexdigest() for name, held in bits.items()}))
"""


def test_every_feature_has_the_same_bits_when_all_kernels_run_as_python() -> None:
    """TRUEWIND_KERNELS=python changes how kernels run, not one bit of what they give."""
    outputs = []
    for kernels in ("python", "compiled"):
        environment = {**os.environ, "TRUEWIND_KERNELS": kernels}
        done = subprocess.run(
            [sys.executable, "-c", FACES], env=environment, capture_output=True, text=True, check=True, timeout=600
        )
        outputs.append(json.loads(done.stdout))
    assert len(outputs[0]) >= 9
    assert outputs[0] == outputs[1]


def test_kernels_as_python_are_plain_functions_and_do_not_load_the_compiler() -> None:
    """Under TRUEWIND_KERNELS=python a debugger steps into the very function, and numba is not even imported."""
    code = (
        "import sys, types\n"
        "from truewind.numerics.rolling import rolling_mean\n"
        "assert isinstance(rolling_mean, types.FunctionType) and rolling_mean.py_func is rolling_mean\n"
        "from truewind import features\n"
        "assert features.columns(['sma(2)'], {'close': [1.0, 3.0]})['sma_2'][1] == 2.0\n"
        "assert 'numba' not in sys.modules\n"
    )
    environment = {**os.environ, "TRUEWIND_KERNELS": "python"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_without_a_writable_cache_kernels_still_run_and_nothing_is_cached_beside_the_source(tmp_path: Path) -> None:
    """numba's own fallback, `__pycache__` beside the file, would run stale code after an edit of a callee."""
    (tmp_path / "blocked").write_text("a file where the cache folder should be")
    (tmp_path / "own.py").write_text(callee("own", 3.0))
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from own import own; print(own(2.0))"
    environment = {**os.environ, "TRUEWIND_CACHE": str(tmp_path / "blocked"), "TRUEWIND_KERNELS": "compiled"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert float(done.stdout) == 6.0
    assert not list(tmp_path.rglob("*.nbi"))


TWO = """
import sys
sys.path[:0] = [{folder!r}]
from truewind.numerics.jit import generated
import two
text = "from truewind.numerics.jit import kernel\\n\\n\\n@kernel\\ndef twice(x):\\n    return 2.0 * step(x)\\n"
print([generated("twice", text, {{"step": step}}).twice(1.0) for step in (two.one, two.ten)])
"""


def test_generated_code_is_told_apart_by_what_it_calls(tmp_path: Path) -> None:
    """Two kernels of one file with the same types, called by the same source: 2 · 1 and 2 · 10, also from the disk."""
    (tmp_path / "two.py").write_text(callee("one", 1.0) + "\n\n" + callee("ten", 10.0).split("\n", 2)[2])
    environment = {**os.environ, "TRUEWIND_CACHE": str(tmp_path / "cache"), "TRUEWIND_KERNELS": "compiled"}
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", TWO.format(folder=str(tmp_path))],
            env=environment, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.stdout.strip() == "[2.0, 20.0]", done.stderr


def test_threads_may_ask_for_the_same_code_at_once(tmp_path: Path) -> None:
    """Each writes a file of its own and puts it in place: none finds that another has taken it away."""
    start = threading.Barrier(8)

    def write(number: int) -> None:
        start.wait()
        for i in range(100):
            jit._write_once(tmp_path / f"{i}.py", f"answer = {i}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{i}.py" for i in range(100))


def test_no_garbage_is_looked_for_while_code_is_made() -> None:
    """It is again afterwards, also where the compiler refuses."""
    from numba import TypingError
    from numba.extending import intrinsic

    looked: list[bool] = []

    def typed(context: Any, x: Any) -> Any:
        looked.append(gc.isenabled())
        return x(x), lambda context, builder, signature, arguments: arguments[0]

    same = intrinsic(typed)
    added = jit.kernel(kept=False)(lambda x: same(x) + 1)
    refused = jit.kernel(kept=False)(lambda x: x.nothing)
    assert added(1) == 2
    assert gc.isenabled()
    with pytest.raises(TypingError):
        refused(1)
    assert gc.isenabled()
    assert looked
    assert not any(looked)
