"""The documents lead somewhere: relative links, headings, commands of the Makefile."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
HISTORY = {"CHANGELOG", "decisions"}
"""They may name what is not there any more."""


def lines(path: Path) -> Iterator[tuple[bool, str]]:
    """Every line, and whether it is code."""
    fenced = False
    for line in path.read_text(encoding="utf-8").splitlines():
        fence = line.startswith("```")
        yield fenced or fence or line.startswith("    "), line
        fenced ^= fence


def anchors(path: Path) -> set[str]:
    """As GitHub makes them of headings: lower case, no punctuation, dashes for spaces, a number for repeated ones."""
    found: dict[str, int] = {}
    for code, line in lines(path):
        if not code and (heading := re.fullmatch(r"#+ (.+)", line)):
            slug = re.sub(r"[^\w\- ]", "", heading[1].lower()).replace(" ", "-")
            found[slug] = found.get(slug, -1) + 1
    return {slug if n == 0 else f"{slug}-{n}" for slug, times in found.items() for n in range(times + 1)}


def links(path: Path) -> list[str]:
    """The relative ones."""
    text = "\n".join(line for code, line in lines(path) if not code)
    found = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text)
    return [target for target in found if not re.match(r"[a-z]+:", target)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    for target in links(document):
        name, _, anchor = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_the_readme_links_every_page() -> None:
    linked = {target.partition("#")[0] for target in links(ROOT / "README.md")}
    assert {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")} <= linked


def test_every_make_command_of_the_documents_is_a_target() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    commands = {
        made[1]
        for path in DOCUMENTS
        for code, line in lines(path)
        if code and (made := re.match(r"\s+make ([a-z-]+)", line))
    }
    assert {"demo", "test"} <= commands <= targets


def named_in_code(pattern: str) -> set[str]:
    return {
        name
        for folder in ("routing", "dialplan", "ivr", "demo", "bench", "tests", "deploy", "asterisk-config")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".sql", ".service", ".conf", ".toml", ".nft"}
        for name in re.findall(pattern, path.read_text(encoding="utf-8"))
    }


def test_every_page_that_code_names_is_there() -> None:
    assert named_in_code(r"\bdocs/[\w-]+\.md\b") <= {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}


def test_decisions_are_numbered_and_those_that_code_cites_are_there() -> None:
    numbers = re.findall(r"^\*\*(\d+)\. ", (ROOT / "docs/decisions.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(map(int, numbers)) == list(range(1, len(numbers) + 1))
    assert named_in_code(r"\bdecision (\d+)\b") <= {*numbers}


@pytest.mark.parametrize(
    "document", [each for each in DOCUMENTS if each.stem not in HISTORY], ids=lambda path: path.name
)
def test_every_path_of_the_repository_is_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"`((?:routing|dialplan|ivr|demo|bench|tests|deploy|asterisk-config)/[\w./-]*)`", text)
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_anchors_are_those_of_github(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(
        "# SIP over TLS, SRTP\n## `ringback apply`\n## A\n## A\n```\n# no heading\n```\n"
    )
    assert anchors(tmp_path / "page.md") == {"sip-over-tls-srtp", "ringback-apply", "a", "a-1"}


def test_the_version_is_the_same_wherever_it_stands() -> None:
    """The newest of the changelog, under which nothing is unreleased when it is tagged."""
    newest = re.search(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    images = re.findall(r"image: ringback[a-z-]*:(\S+)", (ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    assert newest and images
    assert {newest[1], *images} == {project}
