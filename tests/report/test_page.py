"""What a page is made of: tables, figures, names that nobody can trust, DataTables."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markupsafe import Markup

from tokbench import tables
from tokbench.errors import UserError
from tokbench.report import datatables
from tokbench.report.comparison_figures import front
from tokbench.report.definitions import _linked, definition
from tokbench.report.page import INK, Cell, Page, Section, short, unmarked

HOSTILE = (
    "<script>document.title='owned'</script>",
    "\u202egnp.exe\u202c שלום",
    "x" * 10_000,
    "two\nlines",
    "🏳️‍🌈 $\\frac{1}{0}$ \"quoted' & `back`",
    "--><!--<svg onload=alert(1)>",
)


class Tags(HTMLParser):
    """Which elements a page has."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs


def test_a_table_is_offered_as_csv_markdown_and_latex() -> None:
    page = Page("t")
    header = ["who", "score_%"]
    markup = page.table("a", header, [["a&b", 1.5], ["c", None]], right=(1,), bold={(0, 1)})
    assert set(page.files) == {"tables/a.csv", "tables/a.md", "tables/a.tex"}
    assert page.files["tables/a.csv"] == b"who,score_%\na&b,1.5\nc,\n"
    assert page.files["tables/a.md"].decode().splitlines()[1] == "| --- | ---: |"
    latex = page.files["tables/a.tex"].decode()
    assert r"\begin{tabular}{lr}" in latex
    assert r"a\&b & \textbf{1.500} \\" in latex
    assert r"who & score\_\% \\" in latex
    for rule in ("toprule", "midrule", "bottomrule"):
        assert latex.count(rf"\{rule}") == 1
    assert "<b>1.500</b>" in markup
    assert "a&amp;b" in markup


def test_latex_has_no_command_of_a_name() -> None:
    written = tables.as_latex(["\\input{/etc/passwd}"], [["$x^2$ ~ #{}"]])
    assert r"\textbackslash{}input\{/etc/passwd\}" in written
    assert r"\$x\textasciicircum{}2\$ \textasciitilde{} \#\{\}" in written


def test_what_was_not_measured_is_a_dash_that_sorts() -> None:
    markup = Page("t").table("a", ["v"], [[2.0], [None], [float("nan")], [Cell("few", 3)]])
    assert re.findall(r'data-order="([^"]*)"', markup) == ["2.0", "", "", "3"]
    assert markup.count("—") == 1


def test_the_csv_can_say_more_than_the_page() -> None:
    page = Page("t")
    page.table("a", ["v"], [[1.0]], exports=(["v", "signature"], [[1.0, "s,1"]]))
    rows = list(csv.reader(io.StringIO(page.files["tables/a.csv"].decode())))
    assert rows == [["v", "signature"], ["1.0", "s,1"]]


def test_two_tables_of_one_name_keep_their_files() -> None:
    page = Page("t")
    first, second = (page.table("a", ["v"], [[n]]) for n in (1, 2))
    assert 'id="table-a"' in first
    assert 'id="table-a-2"' in second
    assert page.files["tables/a.csv"] != page.files["tables/a-2.csv"]


def test_a_figure_follows_the_theme_and_is_the_same_again() -> None:
    from matplotlib.figure import Figure

    def drawn() -> tuple[Markup, dict[str, bytes]]:
        figure = Figure(figsize=(2, 1))
        axes = figure.add_subplot()
        axes.set_title(unmarked(HOSTILE[4]), color=INK)
        axes.text(0, 0, "ไทย", color=INK)
        page = Page("t")
        return page.figure("f", figure, "caption", "what it shows"), page.files

    markup, files = drawn()
    assert drawn() == (markup, files)
    assert set(files) == {"figures/f.svg", "figures/f.png"}
    assert "currentColor" in markup
    assert INK not in markup
    assert 'aria-label="what it shows"' in markup
    assert "<metadata>" not in markup


def test_a_single_file_packs_large_tables() -> None:
    """Their CSV, that is; a folder has it as it is."""
    header, rows = ["n", "text"], [[n, "word " * 9] for n in range(2000)]
    link = re.search(r'href="data:application/gzip;base64,([^"]+)" download="t.csv.gz"',
                     Page("t", single=True).table("t", header, rows))  # fmt: skip
    assert link is not None
    beside = Page("t")
    beside.table("t", header, rows)
    assert gzip.decompress(base64.b64decode(link[1])) == beside.files["tables/t.csv"]


def test_a_single_file_holds_what_lies_beside_others() -> None:
    page = Page("t", single=True)
    assert page.url("a.csv", b"1") == "data:text/csv;base64,MQ=="
    assert not page.files


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_stays_text(name: str) -> None:
    page = Page(name)
    tame = Tags(
        Page("tame")
        .html([Section("k", "tame", Page("t").table("a", ["tame"], [["tame"]]))])
        .decode()
    )
    table = page.table("a", [name], [[name]], caption=name)
    given = Tags(page.html([Section("k", name, table, part="")], about=name).decode())
    assert given.names.count("script") == tame.names.count("script")
    assert given.names.count("svg") == 0
    assert not [key for key, _ in given.attributes if key.startswith("on")]


def test_names_are_shown_short_and_on_one_line() -> None:
    assert short("a\nb\t c\u202e") == "a b c"
    long = short("a" * 5000 + "tail", 40)
    assert len(long) == 40
    assert long.endswith("tail")
    assert unmarked("cost $5") == r"cost \$5"


def test_the_bundle_becomes_a_classic_script() -> None:
    script = datatables.script()
    assert "window.DataTables={jQuery:" in script
    assert not re.search(r"</script|<!--", script, re.IGNORECASE)
    assert not re.search(r"\bexport\s*\{", script)


@pytest.mark.parametrize("module", ["var a=1;", "export{a as b};", "export{a};export{b as jQuery}"])
def test_a_bundle_of_another_shape_is_one_clear_line(module: str) -> None:
    with pytest.raises(UserError, match="no single export of jQuery") as refused:
        datatables.classic(module, "dt_bundle.js")
    assert "\n" not in str(refused.value)


def test_a_definition_comes_with_its_source_and_a_link() -> None:
    found = definition("premium")
    assert found is not None
    assert "reference language" in found.text[0]
    assert 'href="https://arxiv.org/abs/2305.15425"' in found.source
    assert "<b>" not in _linked("<b> https://example.org/a")


def test_a_record_cannot_have_a_module_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil_metric.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert definition("evil_metric:Metric") is None


def test_the_pareto_front_is_what_no_other_beats() -> None:
    assert front([(1, 3), (2, 2), (3, 1), (2, 1), (1, 1)]) == [0, 1, 2]
    assert front([(1, 1), (2, 2)]) == [1]
