"""Sets of speech: what was said, by whom, in the forms they are published in."""

import numpy as np
import pytest
import soundfile

from tokbench.audio.espeak import Line, spoken
from tokbench.audio.readers import clips
from tokbench.audio.speech_mini import SENTENCES, SPEAKERS
from tokbench.dataset import open_dataset
from tokbench.errors import UserError


def samples(part):
    return [item.load() for item in part.items]


def write(path, text=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    if text is None:
        soundfile.write(path, np.full((800, 1), 0.1), 8000)
    else:
        path.write_text(text, encoding="utf-8")


def test_speech_mini_is_the_same_when_spoken_again(cache):
    [part] = open_dataset("speech-mini").parts
    first = samples(part)
    assert len(first) == len(SENTENCES) == 24
    assert {s.notes["speaker"] for s in first} == set(SPEAKERS)
    assert first[0].notes["transcript"] == SENTENCES[0] and first[0].notes["synthetic"]
    assert all(s.rate == 22_050 and 1.5 < s.data.shape[1] / s.rate < 5 for s in first)
    assert all(0.2 < np.abs(s.data).max() < 0.99 for s in first)
    [kept] = (cache / "speech-mini").iterdir()
    kept.write_bytes(kept.read_bytes()[:-2])  # a torn cache is spoken anew
    [again] = open_dataset("speech-mini").parts
    assert again.fingerprint() == part.fingerprint()


def test_voices_that_are_not_there():
    with pytest.raises(UserError, match="no voice 'xx-nowhere'"):
        spoken([Line("Hello.", "xx-nowhere", 150, 50)])


def test_librispeech_and_sphinx_are_found(tmp_path):
    write(tmp_path / "84" / "12" / "84-12-0000.wav")
    write(tmp_path / "84" / "12" / "84-12.trans.txt", "84-12-0000 GO DO YOU HEAR\n")
    write(tmp_path / "other" / "b-1.wav")
    write(tmp_path / "other" / "transcription", "<s> and so it was </s> (b-1)\n")
    found = samples(open_dataset(str(tmp_path)).parts[0])
    said = {sample.name: sample.notes["transcript"] for sample in found}
    assert said == {"84/12/84-12-0000": "GO DO YOU HEAR", "other/b-1": "and so it was"}


def test_names_and_transcripts_beside(tmp_path):
    write(tmp_path / "wav48" / "p225" / "p225_001_mic1.wav")
    write(tmp_path / "wav48" / "p225" / "p225_001_mic2.wav")
    write(tmp_path / "txt" / "p225" / "p225_001.txt", "Please call.\n")
    fields = {
        "names": "wav48/(?P<speaker>[a-z][0-9]+)/(?P<utterance>.*)_mic1",
        "transcripts": "txt/{speaker}/{utterance}.txt", "domain": "speech",
    }  # fmt: skip
    [part] = clips([("", tmp_path)], fields)
    [sample] = samples(part)
    assert sample.notes["speaker"] == "p225" and sample.notes["transcript"] == "Please call."
    assert sample.notes["domain"] == "speech"
    with pytest.raises(UserError, match="no clip is one"):
        clips([("", tmp_path)], {"names": "nothing"})


def test_common_voice_reads_its_split(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / "clips" / f"{name}.wav")
    write(tmp_path / "test.tsv", 'client_id\tpath\tsentence\nf00\ta.mp3\tHe said "no.\n')
    [part] = clips([("", tmp_path)], {"transcripts": "common-voice"})
    [sample] = samples(part)
    assert (sample.notes["speaker"], sample.notes["transcript"]) == ("f00", 'He said "no.')
    write(tmp_path / "test.tsv", "path\tsentence\n")
    with pytest.raises(UserError, match="no column client_id"):
        clips([("", tmp_path)], {"transcripts": "common-voice"})


def test_wrong_transcripts(tmp_path):
    write(tmp_path / "a.wav")
    with pytest.raises(UserError, match=r"no \*\.trans\.txt"):
        clips([("", tmp_path)], {"transcripts": "librispeech"})
    with pytest.raises(UserError, match="did you mean 'sphinx'"):
        clips([("", tmp_path)], {"transcripts": "sphynx"})
    write(tmp_path / "transcription", "words without an id\n")
    with pytest.raises(UserError, match="line 1"):
        clips([("", tmp_path)], {})


def test_the_shared_speech(shared):
    found = samples(open_dataset("librivox").parts[0])
    assert len(found) == 5 and all(s.notes["transcript"] for s in found)
    assert sum(s.data.shape[1] / s.rate for s in found) == pytest.approx(24.7, abs=0.1)
    found = samples(open_dataset("librispeech").parts[0])
    assert len(found) == 30 and len({s.notes["speaker"] for s in found}) == 6
