"""Readers of gold segmentations, on small files of our own in the published formats."""

from __future__ import annotations

from pathlib import Path

import pytest
from mocks.command import called, files_in, refused
from mocks.evidence import make_task

from tokbench.dataset import open_dataset
from tokbench.errors import UserError
from tokbench.parts import Noted
from tokbench.plan import Source
from tokbench.registry import READERS
from tokbench.text.languages import is_code


def rows_of(reader: str, path: Path, group: str = "x", **fields: str) -> list[Noted]:
    (part,) = READERS.get(reader)([(group, path)], fields)
    assert [text for text, _ in part.rows()] == list(part.samples())
    return list(part.rows())


@pytest.fixture
def file(tmp_path: Path):
    def write(name: str, *lines: str) -> Path:
        path = tmp_path / name
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return path

    return write


# Samples with notes


def test_a_table_gives_its_other_columns_as_notes(file) -> None:
    path = file("t.tsv", "id\ttext\tspeaker", "1\tone two\tA", "2\t\tB", "3\tthree\t")
    assert rows_of("table", path) == [
        ("one two", {"id": "1", "speaker": "A"}),
        ("", {"id": "2", "speaker": "B"}),
        ("three", {"id": "3", "speaker": ""}),
    ]
    assert rows_of("table", path, text="speaker")[0] == ("A", {"id": "1", "text": "one two"})
    quoted = file("t.csv", "text,note", '"a, ""b""",1', "c,2")
    assert rows_of("table", quoted) == [('a, "b"', {"note": "1"}), ("c", {"note": "2"})]


@pytest.mark.parametrize("unit, first", [("line", "one"), ("spaced", " one")])
def test_notes_stay_with_their_sample_however_the_data_is_cut(
    file, tmp_path: Path, unit: str, first: str
) -> None:
    rows = [f"{text}\t{number}" for number, text in enumerate(["one", "", "two", "three", "four"])]
    file("t.tsv", "text\tnumber", *rows)
    manifest = file(
        "mine.toml", 'name = "mine"', 'version = "1"', 'modality = "text"', 'title = ""',
        'description = ""', 'licence = ""', 'reader = "table"', 'default_split = "all"',
        "[splits.all]", 'path = "t.tsv"', "[splits.more]", 'path = "t.tsv"',
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKBENCH_DATA", str(tmp_path))
        for split, expected in (("all", "0234"), ("all+more", "02340234")):
            for most in (1, 2, 20):
                source = Source(
                    open_dataset(str(manifest), split),
                    make_task(["counts"], unit=unit, shard_samples=most),
                )
                batches = [source.read(piece) for shard in source.plan(None) for piece in shard]
                notes = [note["number"] for batch in batches for note in batch.notes or []]
                assert "".join(notes) == expected
                assert batches[0].texts[0] == first
    batch = batches[-1]
    assert batch.select([1]).notes == [{"number": "2"}]
    source = Source(open_dataset(str(manifest.with_name("t.tsv"))), make_task(["counts"]))
    assert source.read(source.plan(None)[0][0]).notes is None


# The gold format


def test_the_embedded_words_are_spelt_by_their_morphemes() -> None:
    dataset = open_dataset("morphology")
    assert len(dataset.groups) == 8 and all(map(is_code, dataset.groups))
    for part in dataset.parts:
        rows = list(part.rows())
        assert len({text for text, _ in rows}) == len(rows) >= 147
        for text, note in rows:
            assert note["segmentation"].replace("+", "") == text
            assert note["lemma"]
            assert int(note["stem_index"]) < len(note["segmentation"].split("+"))


def test_columns_can_have_other_names(file) -> None:
    path = file("g.tsv", "forma\tmorfos\tfreq", "gatos\tgat+o+s\t0.5")
    fields = {"word": "forma", "segmentation": "morfos", "weight": "freq"}
    assert rows_of("morphemes", path, **fields) == [
        ("gatos", {"segmentation": "gat+o+s", "weight": "0.5"})
    ]


@pytest.mark.parametrize(
    "row, message",
    [
        (
            "evler\tev+lar\tev\t0\t",
            "line 2: the segmentation 'ev+lar' does not spell the word 'evler'",
        ),
        ("evler\tev++ler\tev\t0\t", "'ev++ler' does not spell"),
        ("evler\t\tev\t0\t", "'' does not spell the word 'evler'"),
        ("evler\tev+ler\tev\t2\t", "'evler': stem_index is '2', not one of 0 to 1"),
        ("evler\tev+ler\tev\t-1\t", "stem_index is '-1'"),
        ("evler\tev+ler\tev\t0\t7", "'evler': weight is '7', not a number above 0"),
        ("evler\tev+ler", "line 2: 2 cells where the header has 5"),
    ],
)
def test_wrong_gold_is_one_line_with_file_line_and_word(file, row: str, message: str) -> None:
    path = file("g.tsv", "word\tsegmentation\tlemma\tstem_index\tweight", row)
    with pytest.raises(UserError) as error:
        rows_of("morphemes", path)
    assert str(error.value).startswith(f"{path}: line 2: ")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_missing_column_has_a_near_match(file) -> None:
    path = file("g.tsv", "word\tsegmentaton", "a\ta")
    with pytest.raises(UserError, match="no column 'segmentation'; did you mean 'segmentaton'"):
        rows_of("morphemes", path)


def test_a_command_on_wrong_gold_writes_nothing(file, tmp_path: Path, monkeypatch) -> None:
    file("g.tsv", "word\tsegmentation", "evler\tev+ler", "kitabı\tkitap+ı")
    manifest = file(
        "mine.toml", 'name = "mine"', 'version = "1"', 'modality = "text"', 'title = ""',
        'description = ""', 'licence = ""', 'reader = "morphemes"', 'default_split = "all"',
        "[splits.all]", 'path = "g.tsv"',
    )  # fmt: skip
    monkeypatch.setenv("TOKBENCH_DATA", str(tmp_path))
    out = tmp_path / "runs"
    done = called("eval", "bytes", "--task", "morphology", "--data", manifest, "--out", out)
    refused(done, "g.tsv: line 3", "'kitap+ı' does not spell the word 'kitabı'")
    assert not files_in(out) if out.exists() else True


# Published formats


def test_conllu(file) -> None:
    path = file(
        "t.conllu",
        "# sent_id = 1",
        "1\tunreadable\treadable\tADJ\tJJ\t_\t0\troot\t_\tMSeg=un-readable|SpaceAfter=No",
        "2-3\tit's\t_\t_\t_\t_\t_\t_\t_\t_",
        "2\tit\tit\tPRON\tPRP\t_\t1\tdep\t_\t_",
        "3\tre-do\tre-do\tVERB\tVB\t_\t1\tdep\t_\tMSeg=re-do",
        "4\tran\t_\tVERB\tVB\t_\t1\tdep\t_\tGloss=x|MSeg=ran",
        "",
    )
    assert rows_of("conllu", path) == [
        ("unreadable", {"segmentation": "un+readable", "lemma": "readable", "stem_index": "1"}),
        ("re-do", {"lemma": "re-do"}),
        ("ran", {"segmentation": "ran"}),
    ]
    with pytest.raises(UserError, match=r"line 1: 2 columns; CoNLL-U has 10"):
        rows_of("conllu", file("bad.conllu", "1\tword"))


def test_unimorph_and_morphynet_inflections(file) -> None:
    path = file(
        "fin.segmentations",
        "talo\ttalossa\tN;IN+ESS;SG\ttalo|ssa",
        "talo\ttalot\tN;NOM;PL\ttalo|t",
        "talo\ttalot\tN;ACC;PL\ttalo|t",
        "käsi\tkäden\tN;GEN;SG\tkäsi|n",
        "talo\ttalot\tN;NOM;PL\ttalo|t",
        "hay\thay\tX\t-",
    )
    assert rows_of("inflections", path) == [
        ("talossa", {"segmentation": "talo+ssa", "lemma": "talo", "stem_index": "0"}),
        ("talot", {"segmentation": "talo+t", "lemma": "talo", "stem_index": "0"}),
        ("käden", {"lemma": "käsi"}),
        ("talot", {"segmentation": "talo+t", "lemma": "talo", "stem_index": "0"}),
        ("hay", {"lemma": "hay"}),
    ]
    with pytest.raises(UserError, match=r"line 1: 2 cells, not 4 \(lemma, form, features"):
        rows_of("inflections", file("bad.segmentations", "talo\ttalot"))


def test_morphynet_derivations(file) -> None:
    path = file(
        "eng.derivational.v1.tsv",
        "read\treadable\tV\tJ\table\tsuffix",
        "readable\tunreadable\tJ\tJ\tun\tprefix",
        "happy\thappiness\tJ\tN\tness\tsuffix",
        "cycle\tcyclist\tN\tN\tiste\tsuffix",
    )
    assert rows_of("derivations", path) == [
        ("readable", {"segmentation": "read+able", "stem_index": "0"}),
        ("unreadable", {"segmentation": "un+readable", "stem_index": "1"}),
        ("happiness", {"segmentation": "happi+ness", "stem_index": "0"}),
        ("cyclist", {}),
    ]
    with pytest.raises(UserError, match="line 1: 'b': the affix is a 'infix'"):
        rows_of("derivations", file("bad.tsv", "a\tb\tV\tV\tx\tinfix"))


def test_morphscore_first_version(file) -> None:
    path = file("turkish_morph_data.csv", ",full_word,pt1,rest", "0,evler,ev,ler", "1,ve,ve,")
    (part,) = READERS.get("morphscore-v1")([("turkish", path)], {})
    assert part.group == "tur_Latn"
    assert list(part.rows()) == [
        ("evler", {"segmentation": "ev+ler"}),
        ("ve", {"segmentation": "ve"}),
    ]


def test_morphscore_second_version(file) -> None:
    head = "language,wordform,unique,lemma,stem,preceding_part,following_part,word_freq_norm"
    path = file(
        "eng_latn.csv", head,
        "eng_latn,undoing,unique,do,do,un,ing,0.001",
        "eng_latn,dogs,unique,dog,dog,,s,",
        "eng_latn,dogs,repeat,dog,dog,,s,0.5",
        "eng_latn,mice,unique,mouse,m,,ice,0.5",
        "eng_latn,4ths,unique,4th,4th,,s,0.5",
        "eng_latn,dog,unique,dog,dog,,,0.5",
    )  # fmt: skip
    (part,) = READERS.get("morphscore-v2")([("eng_latn", path)], {})
    assert part.group == "eng_Latn"
    assert list(part.rows()) == [
        ("undoing", {
            "segmentation": "un+do+ing", "lemma": "do", "stem_index": "1", "weight": "0.001",
        }),
        ("dogs", {"segmentation": "dog+s", "lemma": "dog", "stem_index": "0"}),
        ("dog", {"segmentation": "dog", "lemma": "dog", "stem_index": "0", "weight": "0.5"}),
    ]  # fmt: skip


# Turkish by its analyser


def test_zeyrek_segments_words_on_their_surface(file) -> None:
    pytest.importorskip("zeyrek", reason="the analyser is not installed: tokbench[morphology]")
    path = file("words.txt", "evlerimizden", "kitabı", "ŞEHİRLER", "", "qwxz", "koyun")
    assert rows_of("zeyrek", path, group="") == [
        ("evlerimizden", {"segmentation": "ev+ler+imiz+den", "lemma": "ev", "stem_index": "0"}),
        # kitap and the name Kitap: cut alike, but the lemma is not certain
        ("kitabı", {"segmentation": "kitab+ı", "stem_index": "0"}),
        ("ŞEHİRLER", {"segmentation": "ŞEHİR+LER", "lemma": "şehir", "stem_index": "0"}),
        ("qwxz", {}),
        ("koyun", {}),  # a sheep, or your bay: cut in two ways
    ]


def test_zeyrek_agrees_with_our_own_gold_where_it_is_certain() -> None:
    pytest.importorskip("zeyrek", reason="the analyser is not installed: tokbench[morphology]")
    from tokbench.text.analysed import segmented

    (turkish,) = [part for part in open_dataset("morphology").parts if part.group == "tur_Latn"]
    pairs = [(segmented(word)[1].get("segmentation"), note["segmentation"])
             for word, note in turkish.rows()]  # fmt: skip
    sure = [(found, gold) for found, gold in pairs if found]
    assert len(sure) > 100
    assert sum(found == gold for found, gold in sure) / len(sure) > 0.8


def test_a_missing_analyser_names_the_pip_line(file, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from tokbench.text import analysed

    analysed._analyser.cache_clear()
    monkeypatch.setitem(sys.modules, "zeyrek", None)
    with pytest.raises(UserError, match=r"pip install 'tokbench\[morphology\]'"):
        rows_of("zeyrek", file("words.txt", "ev"), group="")
    analysed._analyser.cache_clear()
