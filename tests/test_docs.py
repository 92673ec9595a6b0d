"""The site, the links, and what the project says of itself outside of its code."""

import ast
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest
import yaml

import keras_resample.compare  # which `keras_resample` does not import

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "benchmarks" / "README.md"]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
PLACE = re.compile(r"`((?:keras_resample|examples|benchmarks|tests|docs)/[\w./-]*)`")

name_of_page = {"ids": lambda path: str(path.relative_to(ROOT))}


def test_the_site_builds_and_shows_every_public_name(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for package in public_packages():
        short = package.__name__.removeprefix("keras_resample.")
        page = (tmp_path / "api" / short.split(".")[0] / "index.html").read_text()
        for name in package.__all__:
            assert f'id="{package.__name__}.{name}"' in page, f"{short}.{name} is not in the site"
        assert "<p>&gt;&gt;&gt;" not in page and "<blockquote>" not in page


def public_packages():
    """The packages that a user imports names from."""
    packages = [keras_resample.models.convert, *vars(keras_resample).values()]
    return [package for package in packages if hasattr(package, "__all__")]


@pytest.mark.parametrize("page", PAGES, **name_of_page)
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{target} is not there"


@pytest.mark.parametrize("page", PAGES, **name_of_page)
def test_pages_that_load_a_file_say_what_is_imported_first(page):
    text = page.read_text()
    if "load_model(" in text:
        assert "`import keras_resample` comes" in text


@pytest.mark.parametrize("page", PAGES, **name_of_page)
def test_pages_of_the_site_link_to_the_site_alone(page):
    """A link out of docs/ works beside the files, not in the site: a place is named instead."""
    if page.is_relative_to(ROOT / "docs"):
        for target in LINK.findall(page.read_text()):
            inside = (page.parent / target).resolve().is_relative_to(ROOT / "docs")
            assert "://" in target or inside, f"{target} is outside of docs/"


@pytest.mark.parametrize("page", PAGES, **name_of_page)
def test_places_that_a_page_names_exist(page):
    for place in PLACE.findall(page.read_text()):
        assert (ROOT / place).exists(), f"{place} is not there"


def test_the_development_page_names_every_room():
    page = (ROOT / "docs/development.md").read_text()
    package = ROOT / "keras_resample"
    for room in sorted({path.parent for path in package.rglob("*.py")} - {package}):
        name = f"`{room.relative_to(package)}/`"
        assert name in page, f"{name} is not on the page"


def test_a_sampler_takes_less_than_40_lines():
    page = (ROOT / "docs/development.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    classes = [node for block in blocks for node in ast.parse(block).body if is_sampler(node)]
    assert len(classes) == 2
    for node in classes:
        assert node.end_lineno - node.lineno < 40 and not ast.get_docstring(node)


def is_sampler(node):
    return isinstance(node, ast.ClassDef) and "GridSampler" in ast.unparse(node.bases[0])


def test_the_picture_of_the_readme_is_small():
    first = (ROOT / "README.md").read_text().partition("## ")[0]
    (picture,) = re.findall(r"!\[[^]]+\]\((\S+)\)", first)
    assert (ROOT / picture).stat().st_size < 150_000


def test_citation():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0" and citation["message"]
    assert citation["title"] == "keras_resample" and citation["type"] == "software"
    assert citation["version"] == keras_resample.__version__
    assert citation["license"] == PROJECT["license"]
    assert [author["name"] for author in citation["authors"]] == [
        author["name"] for author in PROJECT["authors"]
    ]
    assert len(citation["references"]) == 5
    for paper in citation["references"]:
        assert paper["type"] in {"article", "conference-paper", "unpublished"}
        assert paper["title"] and paper["year"] and paper["authors"]


def test_python_versions_are_those_of_the_workflow():
    workflow = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())
    (job,) = workflow["jobs"].values()
    versions = job["strategy"]["matrix"]["python"]
    prefix = "Programming Language :: Python :: 3."
    assert [f"{prefix}{v.removeprefix('3.')}" for v in versions] == [
        line for line in PROJECT["classifiers"] if line.startswith(prefix)
    ]
    assert PROJECT["requires-python"] == f">={versions[0]}"
    # `.ci/run` takes the test command from the README.
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]


def test_the_readme_has_one_test_command():
    text = (ROOT / "README.md").read_text()
    commands = re.findall(r"^<!-- test -->\n```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert commands == ['python -m pip install -e ".[test]" && python tests/run.py\n']
