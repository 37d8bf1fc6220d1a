"""`tokbench leaderboard --html`: what the pages say, and what a browser makes of them."""

from __future__ import annotations

import csv
import json
import os
import re
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mocks.board import NAMES, made_up, many, written
from mocks.browser import POINTS
from mocks.command import called, files_in, refused

from tokbench.record import Record
from tokbench.site.board import board, file_name

pytest.importorskip("itables", reason="the site's tables need itables")

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": "\"'><img src=x onerror=alert(1)>",
    "end": "</script><script>alert(1)</script>",
    "comment": "<!--<script>",
    "rtl": "\u202eabc\u05d0\u05d1\u05d2",
    "newline": "two\nlines",
    "emoji": "🦊$x^2$👩‍👩‍👧",
    "long": "x" * 10_000,
    "link": "javascript:alert(1)",
    "template": "{{ 7 * 7 }}",
    "formula": "=HYPERLINK(1)",
    "path": "../../../escaped",
    "device": "CON",
    "case": "Same",
    "same": "same",
    "nothing": "//",
}


def made(folder: Path, records: list[Record]) -> Path:
    """The site of these records."""
    written(folder / "board", records)
    done = called("leaderboard", "--from", folder / "board", "--html", folder / "site")
    assert (done.code, done.err) == (0, "")
    assert done.out.strip() == str(folder / "site" / "index.html")
    return folder / "site"


def rows_of(page: Path, number: int = 0) -> list[dict[str, Any]]:
    """The rows of a page's table, by column."""
    found = re.findall(
        r'<script type="application/json" id="[^"]*">(.*?)</script>', page.read_text("utf-8")
    )
    data = json.loads(found[number])
    titles = [column["title"] for column in data["columns"]]
    return [dict(zip(titles, row, strict=True)) for row in data["rows"]]


def codec(name: str, rate: float, psnr: float, seed: int = 0) -> Record:
    record = made_up(
        name, "kodak", seed, values={"psnr": psnr, "bits-per-pixel": rate}, modality="image"
    )
    record.scores = [
        msgspec.structs.replace(
            score,
            better="higher" if score.name == "psnr" else "lower",
            metric=f"{score.name}|v1",
        )
        for score in record.scores
    ]
    return record


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks, of which one was asked in two ways; a tokenizer in three versions; codecs."""
    records = many(80, ("parallel-mini", "numbers"))
    records += [made_up("other-data", data="e" * 64), made_up("other-data-2", data="e" * 64)]
    records += [
        made_up("versioned", seed=n, created=f"2026-0{n}-01T00:00:00+00:00") for n in (1, 2, 3)
    ]
    records += [codec(f"jpeg:{q}", q / 40, 25 + q / 10) for q in (10, 20, 40, 60, 80)]
    records += [codec(f"webp:{q}", q / 50, 26 + q / 10) for q in (10, 20, 40, 60, 80)]
    records += [made_up("silent", values={"premium/mean": None, "gini": 0.3})]
    return made(tmp_path_factory.mktemp("site"), records)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    records = [made_up(name, seed=n) for n, name in enumerate(HOSTILE.values())]
    for record in records:
        record.about.dataset.licence = record.provenance.cpu = record.tokenizer
        record.provenance.arguments = [record.tokenizer]
    odd = made_up("x", task="odd")
    odd.task = HOSTILE["end"]
    return made(tmp_path_factory.mktemp("hostile"), [*records, odd])


def written_at(folder: Path, record: Record) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "r.json").write_bytes(record.to_json())


# What the pages say


def test_every_record_has_a_page_and_a_copy_of_itself(site: Path) -> None:
    files = files_in(site)
    pages = [f for f in files if f.startswith("records/") and f.endswith(".html")]
    assert len(pages) == 96
    for page in pages:
        copy = site / page.replace(".html", ".json")
        record = json.loads(copy.read_bytes())
        assert copy.stem.endswith(record["key"][:12])
    assert {"index.html", "tasks/kodak.html", "suites/text.html"} <= set(files)


def test_no_link_leads_nowhere(site: Path) -> None:
    class Links(HTMLParser):
        found: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.found += [v or "" for k, v in attrs if k in ("href", "src")]

    for page in site.rglob("*.html"):
        links = Links()
        links.found = []
        links.feed(page.read_text("utf-8"))
        cells = []
        if "application/json" in page.read_text("utf-8"):
            for row in rows_of(page):
                for cell in row.values():
                    pairs = cell if cell and isinstance(cell, list) else []
                    pairs = pairs if pairs and isinstance(pairs[0], list) else [pairs]
                    cells += [p[1] for p in pairs if p[1:] and p[1].endswith((".html", ".json"))]
        for link in [*links.found, *cells]:
            target = link.partition("#")[0]
            assert not target or (page.parent / target).is_file(), (page.name, link)


def test_ranks_have_ties_and_what_was_not_measured_is_last_without_one(site: Path) -> None:
    rows = rows_of(site / "tasks" / "parallel-mini.html")
    ranks = [row["rank"] for row in rows]
    assert rows[-1]["tokenizer"][0] == "silent"
    assert rows[-1]["premium/mean"] is None and ranks[-1] is None
    assert ranks[0] == 1 and ranks[:-1] == sorted(ranks[:-1])
    assert len(set(ranks)) < len(ranks)
    assert all(row["date"] and row["signature"] for row in rows)


def test_another_question_is_kept_apart_and_says_what_differs(site: Path) -> None:
    page = (site / "tasks" / "parallel-mini.html").read_text("utf-8")
    first, second = page.split("<h2>Answered another question</h2>")
    assert "other-data" not in first and "other-data-2" in second
    assert "data hash" in second and "eeeeeeeeeeee" in second and "dddddddddddd" in second
    assert [r["tokenizer"][0] for r in rows_of(site / "tasks" / "parallel-mini.html", 1)].count(
        "other-data"
    ) == 1


def test_codecs_are_compared_at_equal_rate(site: Path) -> None:
    page = site / "tasks" / "kodak.html"
    rows = rows_of(page, 1)
    average = {row["measure"]: row["difference"] for row in rows}
    assert average["bd-rate"] < 0 < average["bd-psnr"]
    assert any(row["measure"] == "at equal rate" for row in rows)
    assert not rows[0]["rate"] and rows[-1]["rate"]  # averages first
    assert "against jpeg:N" in page.read_text("utf-8").replace("\n", " ")
    assert (site / "tasks" / "figures" / "kodak-1-rates.svg").is_file()


def test_a_record_shows_the_history_of_its_name(site: Path) -> None:
    pages = sorted((site / "records" / "parallel-mini").glob("versioned--*.html"))
    assert len(pages) == 3
    text = pages[0].read_text("utf-8")
    assert "by 3 versions of the tokenizer" in text
    dates = re.findall(r"2026-0[123]-01", text.split("<h2>History</h2>")[1].split("<section")[0])
    assert list(dict.fromkeys(dates)) == ["2026-01-01", "2026-02-01", "2026-03-01"]
    assert 'class="plot"' in text


def test_a_suite_sets_its_tasks_side_by_side(site: Path) -> None:
    rows = rows_of(site / "suites" / "text.html")
    one = next(row for row in rows if row["tokenizer"] == "made-up-0")
    assert one["mean rank"] is None and one["numbers"][0] is None
    assert "No records yet:" in (site / "suites" / "text.html").read_text("utf-8")


def test_every_table_has_a_plot_and_a_csv(site: Path) -> None:
    for page in [*site.glob("tasks/*.html"), *site.glob("suites/*.html")]:
        text = page.read_text("utf-8")
        tables, plots = text.count("<table "), text.count('class="plot"')
        assert tables and plots >= tables, page
        for link in re.findall(r'href="(tables/[^"]+)"', text):
            rows = list(csv.reader((page.parent / link).read_text("utf-8").splitlines()))
            assert len(rows) > 1 and len({len(row) for row in rows}) == 1


def test_the_original_itself_is_no_choice(tmp_path: Path) -> None:
    """It is ranked first, but is not named as the best, and leaves the plots to the others."""
    records = [codec(f"jpeg:{q}", q / 40, 25 + q / 10) for q in (10, 20, 40, 60)]
    records += [codec("webp:50", 1.1, 31.0), codec("identity", 24.0, 100.0)]
    about = records[-1].about.tokenizer
    about.spec = msgspec.structs.replace(about.spec, algorithm="raw pixels")
    site = made(tmp_path, records)
    (task,) = rows_of(site / "index.html")
    assert task["best"][0] == "jpeg:60 and 1 more" and task["score"] == [31.0, "psnr"]
    assert rows_of(site / "tasks" / "kodak.html")[0]["tokenizer"][0] == "identity"
    assert "Without identity (100): the original itself." in (
        (site / "tasks" / "kodak.html").read_text("utf-8")
    )
    for figure in (site / "tasks" / "figures").glob("*.svg"):
        assert "identity" not in figure.read_text("utf-8") and "webp:50" in figure.read_text()


def test_a_codec_without_bits_leaves_the_others_their_curves(tmp_path: Path) -> None:
    """As an autoencoder without codes: its rate was not measured."""
    records = [codec(f"jpeg:{q}", q / 40, 25 + q / 10) for q in (10, 20, 40, 60)]
    records += [codec("webp:50", 1.1, 31.0), codec("latents", 1.0, 30.0)]
    rate = records[-1].scores[1]
    records[-1].scores[1] = msgspec.structs.replace(
        rate, value=None, low=None, high=None, interval=None, note="no discrete codes"
    )
    page = (made(tmp_path, records) / "tasks" / "kodak.html").read_text("utf-8")
    assert "Left out:" in page and "no discrete codes" in page


def test_the_same_records_make_the_same_site(tmp_path: Path) -> None:
    records = [codec(f"jpeg:{q}", q / 40, 25 + q / 10) for q in (10, 20, 40, 60)]
    one, other = (made(tmp_path / name, [*records, made_up("a")]) for name in ("one", "other"))
    assert files_in(one) == files_in(other)
    for file in files_in(one):
        assert (one / file).read_bytes() == (other / file).read_bytes(), file


def test_a_site_is_replaced_as_a_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = made(tmp_path, [made_up("a"), made_up("b", task="numbers")])
    before = {file: (site / file).read_bytes() for file in files_in(site)}
    assert any("numbers" in str(file) for file in before)
    written(tmp_path / "other", [made_up("c")])
    arguments = "leaderboard", "--from", tmp_path / "other", "--html", site

    def interrupted(found: object) -> Any:
        yield {"records/half.html": b""}
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tokbench.site.records.record_pages", interrupted)
        called(*arguments)
    assert {file: (site / file).read_bytes() for file in files_in(site)} == before
    assert called(*arguments).code == 0
    assert not any("numbers" in str(file) for file in files_in(site))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["board", "other", "site"]
    (site / "tasks" / "mine.txt").write_text("kept")
    refused(called(*arguments), "holds tasks/mine.txt")


def test_two_names_never_share_a_file() -> None:
    names = [*HOSTILE.values(), "a b", "a/b", "a?b", "SAME", "", "x" * 9_999]
    files = [file_name(name) for name in names]
    assert len({file.lower() for file in files}) == len(names)
    assert all(re.fullmatch(r"[\w.-]{1,100}", file) and ".." not in file for file in files)


def test_a_record_with_a_key_that_is_a_path_is_left_out_and_named(tmp_path: Path) -> None:
    bad = made_up("bad")
    bad.key = "../../../escaped"
    found = board([(bad, tmp_path / "bad.json"), (made_up("good"), tmp_path / "good.json")])
    assert [row.record.tokenizer for row in found.rows] == ["good"]
    assert found.left_out == {"bad.json": "its key is not 64 hexadecimal digits"}


def test_slips_get_one_line(tmp_path: Path) -> None:
    refused(called("leaderboard", "--from", tmp_path / "no", "--html", tmp_path), "no leaderboard")
    written(tmp_path / "board", [made_up("a")])
    arguments = "leaderboard", "--from", tmp_path / "board", "--html"
    (tmp_path / "file").write_text("")
    refused(called(*arguments, tmp_path / "file" / "x"), "cannot write")
    refused(called(*arguments, tmp_path / "file"), "is a file; give a folder")
    for other in (tmp_path / "board", tmp_path):
        before = files_in(tmp_path)
        refused(called(*arguments, other), "of no earlier site; give a folder of its own")
        assert files_in(tmp_path) == before
    refused(called(*arguments, tmp_path / "s", "--scores", "gini"), "--scores is for printed")


# Hostile names


def test_nothing_a_stranger_wrote_is_markup(hostile: Path) -> None:
    class Tags(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.wrong: list[str] = []
            self.scripts = 0

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.scripts += tag == "script"
            self.wrong += [f"{tag} {k}" for k, v in attrs if k.startswith("on")]
            self.wrong += [f"{tag} {v}" for k, v in attrs if (v or "").startswith("javascript:")]
            if tag == "img":
                self.wrong.append(tag)

    for page in hostile.rglob("*.html"):
        tags = Tags()
        tags.feed(page.read_text("utf-8"))
        assert tags.wrong == [], page
        assert tags.scripts <= 4
    outside = [f for f in files_in(hostile.parent) if not f.startswith(("site/", "board/"))]
    assert outside == []


def test_a_spreadsheet_gets_no_formula(hostile: Path) -> None:
    text = (hostile / "tasks" / "tables" / "parallel-mini-1.csv").read_text("utf-8")
    assert "'=HYPERLINK(1)" in text


@pytest.mark.parametrize("width", [390, 1280])
def test_hostile_names_render_harmlessly(
    hostile: Path, browser: Callable[..., Any], width: int
) -> None:
    page = browser(hostile, "tasks/parallel-mini.html", width=width)
    names = page.locator("tbody td bdi.name").all_inner_texts()
    assert HOSTILE["script"] in names and HOSTILE["template"] in names
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("tbody a[href^='javascript']").count() == 0
    for record in sorted(hostile.glob("records/parallel-mini/*.html"))[:4]:
        page.goto(record.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), record


# In a browser


@pytest.mark.parametrize("width, dark", [(1280, False), (390, True)])
@pytest.mark.parametrize("path", ["index.html", "tasks/kodak.html", "suites/text.html"])
def test_pages_open_without_errors(
    site: Path, browser: Callable[..., Any], path: str, width: int, dark: bool
) -> None:
    page = browser(site, path, width, dark)
    assert page.locator("tbody tr").count() > 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("h1").count() == 1
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ("255" in ground) != dark
    seen = "getComputedStyle(document.querySelector('.dt-container')).backgroundColor"
    assert page.evaluate(seen) == "rgba(0, 0, 0, 0)"


def contrast(page: Any, selector: str) -> float:
    """WCAG contrast of an element's text against the page."""
    return page.evaluate(
        """(selector) => {
          const light = (colour) => {
            const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((v) => {
              v /= 255;
              return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const a = light(getComputedStyle(document.querySelector(selector)).color);
          const b = light(getComputedStyle(document.body).backgroundColor);
          return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        }""",
        selector,
    )


def test_a_phone_shows_tokenizer_and_score_and_reaches_the_rest(
    site: Path, browser: Callable[..., Any]
) -> None:
    page = browser(site, "index.html", 390)
    right = page.evaluate(
        """[...document.querySelectorAll("#tasks tbody td:nth-child(3)")]
           .map((cell) => cell.getBoundingClientRect().right)"""
    )
    assert right and max(right) <= 390
    page = browser(site, "tasks/parallel-mini.html", 390)
    table = page.get_by_role("region", name="Records, best first").first
    table.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.activeElement.scrollLeft > 0")
    for figure in page.locator("figure.plot svg").all():
        assert figure.evaluate("svg => svg.getBoundingClientRect().right") <= 390


def test_a_page_is_printed_in_dark_on_light(site: Path, browser: Callable[..., Any]) -> None:
    page = browser(site, "tasks/parallel-mini.html", dark=True)
    page.emulate_media(media="print", color_scheme="dark")
    colours = page.evaluate(
        """["color", "backgroundColor"].map(name => getComputedStyle(document.body)[name])"""
    )
    assert colours == ["rgb(27, 30, 35)", "rgb(255, 255, 255)"]
    scrolls = "all => all.some(each => getComputedStyle(each).overflowX !== 'visible')"
    assert not page.eval_on_selector_all(".scroll", scrolls)


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_enough_contrast(site: Path, browser: Callable[..., Any], dark: bool) -> None:
    page = browser(site, "tasks/parallel-mini.html", dark=dark)
    shown = "h1", "tbody td", "tbody td a", "thead th", "caption", "figcaption", ".facts dt"
    for selector in (*shown, ".dt-info", ".copy", "footer p", ".dt-search label"):
        assert contrast(page, selector) >= 4.5, selector


def test_a_table_sorts_filters_and_copies(site: Path, browser: Callable[..., Any]) -> None:
    page = browser(site, "tasks/parallel-mini.html")
    table = page.locator("section").first
    column = "tbody tr td:nth-child(3)"

    def values() -> list[str]:
        return table.locator(column).all_inner_texts()

    first = values()
    heading = table.locator("thead th:nth-child(3)")
    heading.click()
    table.locator('thead th[aria-sort="ascending"]').wait_for()
    rising = values()
    heading.click()
    table.locator('thead th[aria-sort="descending"]').wait_for()
    falling = values()
    assert first == rising == sorted(rising, key=float)
    assert falling == sorted(falling, key=float, reverse=True)
    table.locator(".dt-search input").fill("versioned")
    assert set(table.locator("bdi.name").all_inner_texts()) == {"versioned"}
    table.locator("button.copy").first.click()
    page.wait_for_function("document.getElementById('said').textContent === 'Copied'")
    assert page.evaluate("navigator.clipboard.readText()").startswith("m|v1|parallel-mini@1:all#")


def test_decimal_points_stand_in_line(tmp_path: Path, browser: Callable[..., Any]) -> None:
    values = {"a": 0.7314, "b": 10.5, "c": 1.0, "d": 2.62}
    records = [made_up(name, values={"premium/mean": value}) for name, value in values.items()]
    page = browser(made(tmp_path, records), "tasks/parallel-mini.html")
    lengths, points = (
        page.eval_on_selector_all("table.live tbody td:nth-child(3)", script)
        for script in ("cells => cells.map(cell => cell.textContent.length)", POINTS)
    )
    assert sorted(lengths) == [1, 5, 5, 6]
    assert max(points) - min(points) <= 1


def test_what_was_not_measured_stays_last(site: Path, browser: Callable[..., Any]) -> None:
    page = browser(site, "tasks/parallel-mini.html")
    section = page.locator("section").first
    for _ in range(2):
        section.locator("thead th:nth-child(3)").click()
        section.locator(".dt-paging-button.last").click()
        assert section.locator("tbody tr").last.locator("bdi.name").inner_text() == "silent"


def test_the_keyboard_reaches_everything(site: Path, browser: Callable[..., Any]) -> None:
    page = browser(site, "tasks/parallel-mini.html")
    reached = []
    for _ in range(14):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.className"))
    assert reached[0] == "skip"
    assert any("scroll" in each for each in reached)
    page.locator("section thead th:nth-child(2) .dt-column-order").first.focus()
    before = page.locator("bdi.name").first.inner_text()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert page.locator("th[aria-sort]").count() >= 1
    assert page.locator("bdi.name").first.inner_text() != before


def test_ten_thousand_records_load_and_sort_quickly(
    tmp_path: Path, browser: Callable[..., Any]
) -> None:
    """The page of one task, without the records' own pages: 3,000 records, or 10,000 where
    TOKBENCH_FULL_SIZE is set. 10,000 load within 3 s and sort within 200 ms on an idle machine;
    the bounds here leave room for a busy one."""
    from tokbench.files import atomic_write
    from tokbench.site.pages import assets
    from tokbench.site.tasks import task_page

    count = 10_000 if os.environ.get("TOKBENCH_FULL_SIZE") else 3_000
    few = dict.fromkeys(NAMES[:8])
    records = [
        made_up(f"made-up-{n}", seed=n, values={name: (n * 7919 % 10007 + k) / 10007 + 0.1
                                               for k, name in enumerate(few)})
        for n in range(count)
    ]  # fmt: skip
    found = board([(record, tmp_path / "none.json") for record in records])
    for path, content in (
        assets() | task_page("parallel-mini", found.tasks["parallel-mini"])
    ).items():
        atomic_write(tmp_path / path, content, durable=False)
    started = time.perf_counter()
    page = browser(tmp_path, "tasks/parallel-mini.html")
    page.wait_for_selector("tbody tr")
    loaded = time.perf_counter() - started
    assert page.locator(".dt-info").inner_text() == f"1–25 of {count:,}"
    taken = [
        page.evaluate(
            """(column) => new Promise((done, failed) => {
              setTimeout(() => failed(`column ${column} was not sorted`), 5000);
              const table = document.querySelector("table.live");
              const start = performance.now();
              const DataTable = window.DataTables.jQuery.fn.dataTable;
              new DataTable.Api(table).one("draw", () => done(performance.now() - start));
              table.querySelectorAll("thead th")[column].querySelector(".dt-column-order").click();
            })""",
            column,
        )
        for column in (0, 1, 2, 2, 4, 4, 1)
    ]
    print(f"loaded in {loaded:.2f} s, sorted in {sorted(taken)[len(taken) // 2]:.0f} ms")
    assert loaded < 8
    assert sorted(taken)[len(taken) // 2] < 600
