import pytest
from transformers import PreTrainedTokenizerFast

from llasa_core.errors import UserError
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.prompt import MIN_ROOM, SpeechVocabulary, build_prompt, check_room
from tests.tiny import build_tokenizer


def test_vocabulary_is_read_from_the_tokenizer(tokenizer):
    vocabulary = SpeechVocabulary.from_tokenizer(tokenizer)
    assert vocabulary.n_codes == 1024
    assert vocabulary.first_id == tokenizer.convert_tokens_to_ids("<|s_0|>")
    assert vocabulary.ids([0, 1023]) == tokenizer.convert_tokens_to_ids(["<|s_0|>", "<|s_1023|>"])
    assert vocabulary.end_id == tokenizer.convert_tokens_to_ids("<|SPEECH_GENERATION_END|>")
    with pytest.raises(ValueError, match=r"0\.\.1023"):
        vocabulary.ids([1024])


def test_prompt_equals_the_tokenised_full_string(tokenizer):
    ids = build_prompt(tokenizer, "Hello, world.", "A voice.", [5, 1023, 0])
    full = (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nToday Date: 26 Jul 2024\n\n<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nConvert the text to speech:"
        "<|TEXT_UNDERSTANDING_START|>A voice. Hello, world.<|TEXT_UNDERSTANDING_END|><|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n<|SPEECH_GENERATION_START|><|s_5|><|s_1023|><|s_0|>"
    )
    assert ids == tokenizer(full, add_special_tokens=False).input_ids
    assert tokenizer.decode(ids) == full


def test_without_a_voice_the_text_stands_alone(tokenizer):
    text = tokenizer.decode(build_prompt(tokenizer, "Hello."))
    assert "START|>Hello.<|TEXT" in text and text.endswith("<|SPEECH_GENERATION_START|>")


def test_unknown_characters_are_accepted(tokenizer):
    assert tokenizer.unk_token_id in build_prompt(tokenizer, "caf\u00e9 \u4f60\u597d")


def test_the_vocabulary_is_read_once_for_all_requests(generator_folder, monkeypatch):
    """A released tokenizer takes some 0.3 s to list its 193,800 tokens."""
    reads = []
    inner = PreTrainedTokenizerFast.get_vocab
    monkeypatch.setattr(
        PreTrainedTokenizerFast, "get_vocab", lambda tokenizer: reads.append(1) or inner(tokenizer)
    )
    lm = SpeechLM.from_source(str(generator_folder))
    assert len(reads) == 1
    for text in ("One.", "Two.", "Three."):
        ids = build_prompt(lm.tokenizer, text, "A voice.", [5, 1023])
        assert ids[-2:] == lm.vocabulary.ids([5, 1023])
    assert len(reads) == 1


def test_tokenizers_that_cannot_speak():
    with pytest.raises(UserError, match="no speech tokens"):
        SpeechVocabulary.from_tokenizer(build_tokenizer(0))
    for hole in (0, 7):
        with pytest.raises(UserError, match="not contiguous"):
            SpeechVocabulary.from_tokenizer(build_tokenizer(16, skipped_code=hole))
    with pytest.raises(UserError, match="no chat template"):
        build_prompt(build_tokenizer(16, template=False), "hello")


def test_chat_template_that_ends_otherwise():
    tokenizer = build_tokenizer(16)
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'].replace('<|s_1|>', '') }}{% endfor %}"
    with pytest.raises((UserError, ValueError)):
        build_prompt(tokenizer, "hello", "voice", [1])


def test_room_in_the_context():
    assert check_room(100, 2048) == 1948
    assert check_room(2048 - MIN_ROOM) == MIN_ROOM
    with pytest.raises(UserError, match=r"1999 tokens, the model's context is 2048.*shorten"):
        check_room(1999)
