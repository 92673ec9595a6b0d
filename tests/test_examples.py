"""Every example a user can read is executed: docstrings, the README and the documentation.

Blocks fenced as ```python in one Markdown file share their names and run in order in an empty
folder. A block is left out only under a line `<!-- skip: reason -->`.
"""

import doctest
import importlib
import io
import pathlib
import re

import keras
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
OTHER_BACKENDS = {"tensorflow", "jax", "torch"} - {keras.backend.backend()}
FENCE = re.compile(r"^( *)```python[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
SKIP = re.compile(r"<!--\s*skip:\s*\S.*?-->\s*\Z", re.DOTALL)


def module_names():
    """Every module of the package that holds an example and can be imported on this backend."""
    for path in sorted((ROOT / "keras_resample").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1] == "__main__" or (parts[1] == "backend" and parts[-1] in OTHER_BACKENDS):
            continue
        if ">>>" in path.read_text():
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def python_blocks(text):
    """Line number and source of every fenced Python block that is not skipped."""
    for match in FENCE.finditer(text):
        if not SKIP.search(text[: match.start()]):
            indent, source = match.groups()
            yield (
                text.count("\n", 0, match.start(2)),
                re.sub(f"^{indent}", "", source, flags=re.MULTILINE),
            )


def pages():
    found = sorted((ROOT / "docs").rglob("*.md"))
    return [page for page in found if any(python_blocks(page.read_text()))]


def run_doctest(test):
    """Failure text of one doctest, empty if it passes."""
    log = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    runner.run(test, out=log.write)
    return log.getvalue() if runner.failures else ""


def run_markdown(path):
    """Execute the blocks of a page; a traceback shows the page and its line."""
    names = {"__name__": "__main__"}
    for line, source in python_blocks(path.read_text()):
        if source.lstrip().startswith(">>>"):
            test = doctest.DocTestParser().get_doctest(source, {}, path.name, str(path), line)
            test.globs = names
            log = io.StringIO()
            runner = doctest.DocTestRunner(optionflags=OPTIONS)
            runner.run(test, out=log.write, clear_globs=False)
            assert not runner.failures, log.getvalue()
        else:
            exec(compile("\n" * line + source, str(path), "exec"), names)


@pytest.mark.parametrize("name", list(module_names()))
def test_docstrings(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tests = doctest.DocTestFinder().find(importlib.import_module(name))
    failures = [run_doctest(test) for test in tests if test.examples]
    assert not any(failures), "\n".join(failures)


@pytest.mark.every_backend
def test_the_readme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_markdown(ROOT / "README.md")


@pytest.mark.parametrize("path", pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_markdown(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_markdown(path)


PAGE = """
```python
x = 1
```
<!-- skip: needs a server -->
```python
x = undefined
```
1. In a list:

   ```python
   y = x + 1
   ```
```python
>>> y + {added}
2
```
"""


def test_blocks_share_names_and_skip_what_says_why(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE.format(added=0))
    run_markdown(page)


def test_a_wrong_example_fails(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE.format(added=1))
    with pytest.raises(AssertionError, match=r"Expected:\s+2\s+Got:\s+3"):
        run_markdown(page)
    page.write_text(PAGE.replace("<!-- skip: needs a server -->", ""))
    with pytest.raises(NameError, match="undefined"):
        run_markdown(page)
    wrong = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    assert "Expected:\n    3" in run_doctest(wrong)
