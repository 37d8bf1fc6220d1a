"""PESQ, STOI, DNSMOS, PLCMOS, words: published figures, refusals, and what probes remember."""

import pytest
from mocks.clips import encoded, murmur

from tokbench.audio.clips import read_clip
from tokbench.audio.wording import normalised, word_edits
from tokbench.metrics.audio import opinion, perceptual, words
from tokbench.metrics.audio.clipwise import REASONS
from tokbench.metrics.metric import make_metric

CLIP = murmur(0)


@pytest.fixture
def versa(shared):
    """The pair for which VERSA publishes its values."""
    clips = (read_clip(shared / f"speech/metric-fixtures/versa-test{n}.wav")[0] for n in (1, 2))
    return encoded(tuple(clips), domain="speech")


def reasons(statistic, name):
    keys = statistic.tallies[f"{name}:refused"].keys & 0xFFFFFFFF
    return [list(REASONS)[key] for key in keys]


def test_versa_figures(versa):
    assert perceptual.pesq(versa).columns["pesq:wb"][0] == pytest.approx(1.57227, abs=1e-4)
    assert perceptual.stoi(versa).columns["stoi:no:raw"][0] == pytest.approx(0.0076251, abs=1e-6)
    found = opinion.dnsmos(versa).columns
    assert found["dnsmos:output:overall"][0] == pytest.approx(1.45261, abs=1e-4)
    assert found["dnsmos:output:p808"][0] == pytest.approx(2.09430, abs=1e-4)


def test_identity_is_at_its_ceiling(shared):
    clip, _ = read_clip(shared / "speech/lyra/sample1_16kHz.wav")
    same = encoded((clip, clip), domain="speech")
    assert perceptual.pesq(same).columns["pesq:wb"][0] == pytest.approx(4.6439, abs=1e-3)
    assert perceptual.stoi(same).columns["stoi:no:raw"][0] == pytest.approx(1, abs=1e-6)
    assert perceptual.stoi(same, "yes").columns["stoi:yes:raw"][0] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("statistic", "name"),
    [
        (perceptual.pesq, "pesq:wb"), (perceptual.stoi, "stoi:no:raw"),
        (opinion.plcmos, "plcmos:output:"), (words.heard, "heard:pocketsphinx:open:change"),
    ],
)  # fmt: skip
def test_refused_with_a_reason(statistic, name):
    """Music, silence and snippets have no value, and the tally says why."""
    music = statistic(encoded((CLIP, CLIP), domain="music"))
    assert music.columns[f"{name}:n"][0] == music.columns[name][0] == 0
    assert reasons(music, name) == ["domain"]
    assert reasons(statistic(encoded((CLIP, CLIP))), name) == ["domain"]
    assert reasons(statistic(encoded((0 * CLIP, CLIP), domain="speech")), name) == ["silent"]
    if not name.startswith("heard"):
        short = CLIP[:, 2000:4000]
        assert reasons(statistic(encoded((short, short), domain="speech")), name) == ["short"]
    if not name.startswith("stoi"):
        low = statistic(encoded((CLIP, CLIP), rate=8000, domain="speech"))
        assert reasons(low, name) == ["narrowband"]


def test_plcmos_says_the_same_twice():
    pair = encoded((CLIP, CLIP), domain="speech")
    first, second = (opinion.plcmos(pair).columns["plcmos:output:"][0] for _ in range(2))
    assert first == second and 1 <= first <= 5


def test_originals_are_remembered(monkeypatch):
    """The second codec on the same clip asks the recogniser for its output alone."""
    from tokbench.probes.recognisers import recogniser

    asked = []
    probe = recogniser("pocketsphinx")
    monkeypatch.setattr(probe, "hear", lambda clip, under=None: asked.append(len(clip)) or "a b")
    clip = murmur(7, seconds=0.5)
    for _ in range(2):
        words.heard(encoded((clip, clip * 0.5), transcript="a c"))
    assert len(asked) == 3


def test_a_clip_is_heard_alike_after_any_other():
    """PocketSphinx takes away noise that it estimates; what it heard before is not in it."""
    pytest.importorskip("espeakng_loader")
    from tokbench.audio.clips import resampled
    from tokbench.audio.speech_mini import SENTENCES, speech_mini
    from tokbench.probes.recognisers import recogniser

    items, probe = speech_mini()[0].items, recogniser("pocketsphinx")
    words = [" ".join(SENTENCES).replace(".", "").replace(",", "").lower()]
    before, clip, after = (resampled(items[n].load().data, 22_050, 16_000)[0] for n in (4, 5, 6))
    probe.hear(before, words)
    first = probe.hear(clip, words)
    probe.hear(after, words)
    assert probe.hear(clip, words) == first != ""


def test_words_by_hand(monkeypatch):
    from tokbench.probes.recognisers import recogniser

    probe = recogniser("pocketsphinx")
    monkeypatch.setattr(
        probe, "hear", lambda clip, under=None: "" if abs(clip).max() < 0.05 else "the cat sat"
    )
    clip, quiet = murmur(8, seconds=0.5), murmur(8, seconds=0.5) * 0.01
    found = words.heard(
        encoded((clip, clip * 2), (clip, quiet), transcript="The cat sat, on a mat!")
    ).columns
    stem = "heard:pocketsphinx:open"
    assert found[f"{stem}:output:words:errors"].tolist() == [3, 6]
    assert found[f"{stem}:output:words:deletions"].tolist() == [3, 6]
    assert found[f"{stem}:output:words:reference"].tolist() == [6, 6]
    assert found[f"{stem}:output:letters:reference"].tolist() == [20, 20]
    assert found[f"{stem}:change:words:errors"].tolist() == [0, 3]
    assert found[f"{stem}:original:words:errors"].tolist() == [3, 3]


def test_counts_of_pocketsphinx_own_example():
    """One of each error; and an empty side."""
    found = word_edits("one two three four", "one too three for five")
    assert found.counts() == (2, 2, 0, 1)
    assert word_edits("", "one two").insertions == 2 and word_edits("a b", "").deletions == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don’t STOP -- 'now'!", "don't stop now"),
        ("rock'n'roll\n\tco-op", "rock'n'roll co op"),
        ("Çağ ﬁnds ５", "çağ finds 5"),
    ],
)
def test_normaliser(text, expected):
    assert normalised(text) == expected


def test_other_languages_are_not_for_an_english_recogniser():
    found = words.heard(encoded((CLIP, CLIP), transcript="evet", language="tur_Latn"))
    assert reasons(found, "heard:pocketsphinx:open:output") == ["language"]


def test_held_to_its_words(shared):
    from tokbench.probes.recognisers import recogniser

    name = "sense_and_sensibility_01_austen_64kb-0880.wav"
    clip, _ = read_clip(shared / "speech/librivox" / name)
    said = "he was not an ill disposed young man"
    probe = recogniser("pocketsphinx")
    heard = probe.hear(clip[0], [said])
    assert set(heard.split()) <= set(said.split())
    assert word_edits(said, heard).hits >= 6


def test_held_to_its_sentences_it_hears_speech_mini():
    pytest.importorskip("espeakng_loader")
    from tokbench.audio.clips import resampled
    from tokbench.audio.speech_mini import SENTENCES, speech_mini
    from tokbench.probes.recognisers import recogniser

    lines, probe = sorted(map(normalised, SENTENCES)), recogniser("pocketsphinx")
    errors = 0
    for item in speech_mini()[0].items[:6]:  # each speaker once
        sample = item.load()
        clip = resampled(sample.data, sample.rate, 16_000)[0]
        said = normalised(sample.notes["transcript"])
        errors += sum(word_edits(said, probe.hear(clip, lines)).counts()[1:])
    assert errors <= 16  # of 53 words; without the sentences it is about 40


def test_the_model_of_a_vocabulary_by_hand():
    """Of one line every word alike; of several nine in ten for those that follow."""
    from tokbench.probes.sphinx import _model

    one = _model(["b a"]).splitlines()
    assert one[1] == "ngram 1=4" and "ngram 2" not in " ".join(one)
    assert [line.split("\t")[1] for line in one if line.startswith("-0.477121")] == [
        "</s>",
        "a",
        "b",
    ]
    two = _model(["a b", "a c"])
    assert "\n-0.346787\ta b\n-0.346787\ta c\n" in two  # log10(0.9 / 2)
    assert "\n-0.045757\t<s> a\n" in two  # log10(0.9)
    assert "\n-0.602060\ta\t-0.698970\n" in two  # log10(1 / 4), log10(0.1 / (1 - 2 / 4))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("pesq", {"band": "xb"}, "choose wb or nb"),
        ("wer", {"recogniser": "sphinx"}, "choose pocketsphinx or a Whisper"),
        ("wer", {"vocabulary": "shut"}, "choose open or note"),
        ("cer", {"recogniser": "openai/whisper-tiny", "vocabulary": "note"}, "take pocketsphinx"),
        ("visqol", {"model": "music"}, "choose speech or audio"),
    ],
)
def test_wrong_options(name, options, message):
    with pytest.raises(Exception, match=message):
        make_metric(name, options, "task")


def test_whisper_without_weights_is_refused_in_a_line(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    metric = make_metric("wer", {"recogniser": "nobody/whisper-none"}, "task")
    from tokbench.tokenizers.audio.waveforms import PCM

    why = metric.lacks(PCM())
    assert "nobody/whisper-none" in why and "pocketsphinx" in why and "\n" not in why
    assert metric.signature().endswith("by:missing")


def test_probe_marks_are_in_the_signature():
    assert make_metric("pesq", {}, "t").signature().startswith("pesq|band:wb|resampler:soxr-HQ|v1|")
    assert len(make_metric("dnsmos", {}, "t").signature().rpartition("by:")[2]) == 8
