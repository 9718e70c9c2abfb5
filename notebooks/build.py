"""Runs the notebooks of the course, and measures what they reach.

    python notebooks/build.py run               run them whole and write their outputs into them
    python notebooks/build.py run 03 14         only these
    python notebooks/build.py check             run them in short form, with their exercises solved; write nothing
    python notebooks/build.py table             run the programs of the chapters and put their results into README.md

What the cells of a notebook carry in their metadata:
    {"short": {"EPOCHS": 2}}        in short form these names are set again at the end of the cell
    {"tags": ["exercise"]}          a start to be completed, then lines that begin with ``check(``
    {"tags": ["solution"]}          the markdown cell after it: the solution in <details>, as one ```python block
What the notebook carries: {"minigrad": {"row": 9, "script": "cnn"}}: its row of the study notes' table of systems, and
the program of the same system in scripts/.
"""

from __future__ import annotations

import argparse
import base64
import concurrent.futures
import contextlib
import copy
import io
import os
import pathlib
import queue
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
WIDGET = "application/vnd.jupyter.widget-view+json"
HEAVY = 200_000  # characters of one output; larger ones are left out of the file
FIGURES = """\
%config InlineBackend.figure_formats = ["png"]
import matplotlib
matplotlib.rcParams["figure.dpi"] = 80
"""


def notebooks(names=()):
    """The paths of the notebooks, in the order of their numbers; of all, or of those whose name begins so."""
    paths = sorted(HERE.glob("[0-9][0-9]_*.ipynb"))
    if missing := [name for name in names if not any(path.name.startswith(name) for path in paths)]:
        raise SystemExit(f"no notebook in {HERE} begins with {', '.join(missing)}")
    return [path for path in paths if not names or path.name.startswith(tuple(names))]


def read(path):
    import nbformat

    return nbformat.read(path, as_version=4)


def solved(book):
    """The notebook as it is checked: in short form, and each exercise once more with its solution, which counts."""
    import nbformat

    cells = []
    for cell, after in zip(book.cells, [*book.cells[1:], None]):
        cell = copy.deepcopy(cell)
        if short := cell.metadata.get("short"):
            cell.source += "".join(f"\n{name} = {value!r}" for name, value in short.items())
        cells.append(cell)
        if "exercise" in cell.metadata.get("tags", ()):
            solution = re.search(r"```python\n(.*?)```", after.source, re.DOTALL)
            checks = re.search(r"^check\(.*", cell.source, re.DOTALL | re.MULTILINE)
            strict = "import os\nos.environ['MINIGRAD_COURSE_STRICT'] = '1'\n"
            loose = "\ndel os.environ['MINIGRAD_COURSE_STRICT']"
            cells.append(nbformat.v4.new_code_cell(strict + solution[1] + "\n" + checks[0] + loose))
    result = copy.deepcopy(book)
    result.cells = cells
    return result


def run(path, check):
    """Executes one notebook; (name, seconds, what went wrong or ""). Without `check` its outputs are written."""
    import nbclient
    import nbformat

    os.environ.update(PYDEVD_DISABLE_FILE_VALIDATION="1", MINIGRAD_QUIET="1", PYTHONHASHSEED="0")
    began, book = time.perf_counter(), read(path)
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    running = solved(book) if check else book
    running.cells.insert(0, nbformat.v4.new_code_cell(FIGURES))
    failure = ""
    with tempfile.TemporaryDirectory() as sockets:
        client = client_of(running, sockets)
        try:
            client.execute()
            failure = complaints(running)
        except nbclient.exceptions.CellExecutionError as error:
            failure = str(error)
    del running.cells[0]
    if not check:
        tidy(book)
        nbformat.write(book, path)
    return path.name, time.perf_counter() - began, failure


def client_of(book, sockets):
    """What executes a notebook. A cell with a slider makes nbclient write to the socket on which it waits for the
    kernel's answer; if that comes just then, it does not wake who waits. So it is looked for again each second."""
    import nbclient

    class Client(nbclient.NotebookClient):
        async def async_start_new_kernel_client(self):
            client = await super().async_start_new_kernel_client()
            client.shell_channel.get_msg = looking_again(client.shell_channel.get_msg)
            return client

    return Client(book, timeout=1200, km=kernel(sockets), resources={"metadata": {"path": str(HERE)}},
                  extra_arguments=["--IPKernelApp.log_level=ERROR"])  # fmt: skip


def looking_again(get_message, pause=1.0):
    """`get_message` of a channel, which waits for `pause` seconds at a time."""

    async def get(timeout=None):
        end = float("inf") if timeout is None else time.monotonic() + timeout
        while (left := end - time.monotonic()) > pause:
            with contextlib.suppress(queue.Empty):
                return await get_message(timeout=pause)
        return await get_message(timeout=max(0.0, left))

    return get


def kernel(folder):
    """A kernel not started yet, which is spoken to by files in `folder`. Two that start at the same time may find the
    same TCP port free; one of them is then asked what the other should do, and both wait for ever."""
    from jupyter_client.manager import AsyncKernelManager

    if os.name == "nt":
        return AsyncKernelManager(kernel_name="python3")
    return AsyncKernelManager(kernel_name="python3", transport="ipc", connection_file=os.path.join(folder, "kernel"))


def complaints(book):
    """What the cells wrote to the error stream: warnings, which a learner should not have to wonder about."""
    outputs = (output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs)
    return "".join(output.text for output in outputs if output.get("name") == "stderr")


def tidy(book):
    """Leaves in the notebook what is the same each time, and not heavy."""
    keep = {"tags", "short"}
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "minigrad": book.metadata["minigrad"],
    }
    book.nbformat_minor = 5
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number}"
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in keep}
        if cell.cell_type == "code":
            if cell.execution_count is not None:
                cell.execution_count -= 1  # the cell that sets the figures came first
            cell.outputs = [light(output) for output in joined(cell.outputs)]


def joined(outputs):
    """Pieces of one stream that follow one another, as one: how they were cut is a matter of time."""
    result = []
    for output in outputs:
        if result and output.output_type == "stream" == result[-1].output_type and output.name == result[-1].name:
            result[-1].text += output.text
        else:
            result.append(output)
    return result


def light(output):
    """The output without its heavy forms and without what changes from run to run."""
    if "execution_count" in output and output.execution_count is not None:
        output.execution_count -= 1
    if "data" in output:
        output.metadata = {}
        if output.data.pop(WIDGET, None):  # it names its slider by a random number, and works only where it runs
            output.data["text/plain"] = "(a slider: run the cell to move it · 셀을 실행하면 슬라이더가 나옵니다)"
        if "image/png" in output.data:
            output.data["image/png"] = smaller(output.data["image/png"])
        for form in [form for form, data in output.data.items() if len(str(data)) > HEAVY]:
            del output.data[form]
            output.data.setdefault("text/plain", f"({form}, left out of this file; run the cell to see it)")
    return output


def smaller(png):
    """A picture, as base64, with a palette of 256 colours: plots need no more, and are a third of the size. The palette
    covers the colours that are there, also the rare ones (a small star), not only the frequent."""
    from PIL import Image

    out = io.BytesIO()
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    coverage = Image.Quantize.MAXCOVERAGE
    picture.quantize(256, method=coverage, kmeans=1, dither=Image.Dither.NONE).save(out, "png", optimize=True)
    return base64.b64encode(out.getvalue()).decode()


def run_all(names, check, jobs):
    paths, failed = notebooks(names), []
    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run, path, check) for path in paths]):
            name, seconds, failure = done.result()
            print(f"{name:40} {seconds:6.1f} s  {'FAILED' if failure else 'ok'}", flush=True)
            if failure:
                failed.append(f"{name}:\n{failure}")
    if failed:
        raise SystemExit("\n\n".join(failed))


def reached(path):
    """A chapter's row of README's table; "" if it has no program."""
    book = read(path)
    script = book.metadata["minigrad"].get("script")
    if not script:
        return ""
    title = book.cells[0].source.splitlines()[0].lstrip("# ")
    command = [sys.executable, HERE / "scripts" / f"{script}.py", "--quiet"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()
    row = book.metadata["minigrad"].get("row", "")
    result = lines[-1].removeprefix("result: ")
    return f"| [{title}](notebooks/{path.name}) | {row} | [`{script}`](notebooks/scripts/{script}.py) | {result} |"


def table(names, jobs):
    """README's table: chapter, row of the notes, program, its last line. Rows of other chapters stay as they are."""
    readme = HERE.parent / "README.md"
    text = readme.read_text(encoding="utf-8")
    head = "| chapter | row of the notes | program | reached |\n|---|---|---|---|"
    start = text.index(head) + len(head)
    end = text.index("\n\n", start)
    rows = {re.search(r"notebooks/(\w+\.ipynb)", row)[1]: row for row in text[start:end].split("\n") if row}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        paths = notebooks(names)
        for path, row in zip(paths, pool.map(reached, paths)):
            print(row, flush=True)
            rows[path.name] = row
    written = "".join(f"\n{rows[name]}" for name in sorted(rows) if rows[name])
    readme.write_text(text[:start] + written + text[end:], encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "check", "table"])
    parser.add_argument("names", nargs="*", metavar="NAME", help="the beginnings of notebooks' names; default: all")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once (default: 2)")
    chosen = parser.parse_args()
    if chosen.what == "table":
        table(chosen.names, chosen.jobs)
    else:
        run_all(chosen.names, chosen.what == "check", chosen.jobs)


if __name__ == "__main__":
    main()
