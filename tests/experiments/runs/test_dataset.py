"""What rows of each kind of file ask for, and how bad ones are refused; no model is involved."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.cli.main import build_parser
from experiments.request_options import RequestOptions
from experiments.runs.dataset import Row, file_name, read_rows
from llasa_core.audio import write_audio
from llasa_core.errors import UserError
from llasa_core.voices import find_voice, shipped_voices

VOICE = shipped_voices()[1]


def options(*given: str) -> RequestOptions:
    return RequestOptions.from_namespace(build_parser().parse_args(["run", "in.txt", "-o", "out", *given]))


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def parquet(path: Path, columns: dict[str, list[Any]]) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as files

    files.write_table(pyarrow.table(columns), path)
    return path


def brief(rows: list[Row]) -> list[tuple[str, str, int]]:
    return [(row.id, row.text, row.seed) for row in rows]


@pytest.fixture
def recordings(voice_file: Path, tmp_path: Path) -> Path:
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds/a.wav").write_bytes(voice_file.read_bytes())
    return tmp_path


WANTED = [("007", 'He said "yes, no".', 5), ("000002", "NA", 0), ("null", "Three words here.", 0)]


def as_jsonl(folder: Path) -> Path:
    rows = [
        {"id": "007", "text": ' He said  "yes, no".', "seed": 5},
        {"text": "NA", "id": None, "seed": None},
        {"id": "null", "text": "Three words here."},
    ]
    return written(folder / "in.jsonl", "\ufeff" + "\n\n".join(map(json.dumps, rows)) + "\n")


def as_csv(folder: Path) -> Path:
    lines = ['text,id,seed\n"He said ""yes,\nno"".",007,5', "NA,,", "Three words here.,null,"]
    return written(folder / "in.csv", "\n".join(lines) + "\n\n")


def as_parquet(folder: Path) -> Path:
    texts = [text for _, text, _ in WANTED]
    # as pandas writes a column of whole numbers with gaps
    return parquet(
        folder / "in.parquet", {"id": ["007", None, "null"], "text": texts, "seed": [5.0, None, float("nan")]}
    )


@pytest.mark.parametrize("write", [as_jsonl, as_csv, as_parquet])
def test_cells_keep_what_is_written_in_them(write: Callable[[Path], Path], tmp_path: Path) -> None:
    assert brief(read_rows(write(tmp_path), options())) == WANTED


def test_a_text_file_has_one_text_a_line(tmp_path: Path) -> None:
    path = written(tmp_path / "in.txt", "One line.\n\n  Another,\u2028with one.  \r\nThe last")
    rows = read_rows(path, options("--seed", "3"))
    texts = ["One line.", "Another, with one.", "The last"]
    assert brief(rows) == [(f"00000{k}", text, 3) for k, text in enumerate(texts, start=1)]
    assert [row.where for row in rows] == [f"line {number} of {path}" for number in (1, 3, 4)]
    assert brief(read_rows(path, options("--seed", "3"), 2)) == brief(rows)[:2]


def test_a_meta_list_brings_its_voices(recordings: Path) -> None:
    path = written(recordings / "meta.lst", "u1|said before|sounds/a.wav|To be said.\nu2|Without a voice.\n")
    first, second = read_rows(path, options("--voice", VOICE.name))
    assert (first.id, first.text, first.prompt_text, first.voice) == (
        "u1",
        "To be said.",
        "said before",
        None,
    )
    assert first.prompt_audio is not None and first.prompt_audio.samefile(recordings / "sounds/a.wav")
    assert (second.voice, second.prompt_audio, second.prompt_text) == (VOICE.name, VOICE.path, VOICE.text)


def test_a_row_has_its_own_voice_language_and_emotion(recordings: Path, monkeypatch: Any) -> None:
    (recordings / "elsewhere").mkdir()
    rows = [
        {"text": "one", "prompt_audio": "sounds/a.wav", "prompt_text": "a buzz", "language": "de"},
        {"text": "two", "voice": VOICE.name, "emotion": "sad", "emotion_audio": "sounds/a.wav"},
        {"text": "three"},
    ]
    path = written(recordings / "in.jsonl", "\n".join(map(json.dumps, rows)))
    monkeypatch.chdir(recordings / "elsewhere")
    own, named, default = read_rows(path, options("--emotion", "happy", "--language", "fr"))
    request = own.request()
    assert (request.text, request.id, request.language, request.emotion) == ("one", "000001", "de", "happy")
    assert request.prompt_audio is not None and request.prompt_text == "a buzz"
    assert own.inputs == {
        "voice": None,
        "prompt_audio": str(recordings / "sounds/a.wav"),
        "emotion_audio": None,
    }
    assert named.inputs == {
        "voice": VOICE.name,
        "prompt_audio": None,
        "emotion_audio": str(recordings / "sounds/a.wav"),
    }
    assert named.request().emotion_audio is not None and (named.emotion, named.language) == ("sad", "fr")
    assert default.voice == find_voice(None).name
    assert (
        read_rows(written(recordings / "in.txt", "one"), options("--no-prompt"))[0].request().prompt_audio
        is None
    )


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("in.csv", "txt\none\n", r"no column 'txt': did you mean 'text'"),
        ("in.csv", "id\none\n", r"no column 'text' \(it has id\)"),
        ("in.csv", "", "it is empty"),
        ("in.csv", "text\n", "holds no texts"),
        ("in.csv", "text,text\na,b\n", "two columns 'text'"),
        ("in.csv", "text,id\nfine,1\none, two,3\n", r"line 3 of .*3 cells and the first line 2"),
        ("in.csv", "text,id\nfine\n", "line 2 of .*1 cells"),
        ("in.csv", 'text\n"open\n', "line 2 of .*no CSV"),
        ("in.csv", "text,id\n,1\n", "line 2 of .*text is empty"),
        ("in.jsonl", '{"text": "one"}\n{"text": "two", "vioce": "x"}', "line 2 .*did you mean 'voice'"),
        ("in.jsonl", '{"text": "one"}\n{"text": ', "line 2 of .*no JSON"),
        ("in.jsonl", '["one"]', "no JSON object"),
        ("in.jsonl", '{"id": "1"}', "text is empty"),
        ("in.jsonl", '{"text": 5}', "text is 5: give text"),
        ("in.jsonl", '{"text": "one", "id": 1.5}', "id is 1.5"),
        ("in.jsonl", '{"text": "one", "id": true}', "id is True"),
        ("in.jsonl", '{"text": "\\ud800"}', "half of a character"),
        ("in.jsonl", '{"text": "one", "seed": -1}', "seed '-1'"),
        ("in.jsonl", '{"text": "one", "seed": 1e30}', "2\\^63"),
        ("in.jsonl", '{"text": "one", "voice": "nobody"}', "no voice 'nobody'"),
        ("in.jsonl", '{"text": "one", "language": "\u4e2d"}', "unknown language"),
        ("in.jsonl", '{"text": "one", "prompt_text": "two"}', "prompt_text without prompt_audio"),
        ("in.jsonl", '{"text": "one", "prompt_audio": "a.wav"}', "prompt_audio without prompt_text"),
        ("in.jsonl", '{"text": "a", "prompt_audio": "no.wav", "prompt_text": "b"}', "no.wav does not exist"),
        ("in.jsonl", '{"text": "a", "emotion_audio": "in.jsonl"}', "cannot be read"),
        ("in.jsonl", '{"text": "one", "id": "a"}\n{"text": "two", "id": "a"}', "line 2 .*'a' is that of line 1"),
        ("in.jsonl", '{"text": "one", "id": "000002"}\n{"text": "two"}', "line 2 .*'000002' is that of line 1"),
        ("in.jsonl", json.dumps({"text": "one", "id": "x" * 201}), "too long for the name of a file"),
        ("in.lst", "u1|one|two|three|four|five\n", "has 6 fields"),
        ("in.lst", "u1|one\nu1|two\n", "row 2 .*'u1' is that of row 1"),
        ("in.txt", "\n \n", "holds no texts"),
        ("in.txt", "one\n?!\n", "line 2 .*no letter or digit"),
        ("in.txt", "a <|s_3|> b", "marker"),
        ("in.xlsx", "one", "cannot tell what .*in.xlsx is: give a file that ends in .jsonl"),
    ],
)  # fmt: skip
def test_bad_rows_are_named(name: str, text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=says) as caught:
        read_rows(written(tmp_path / name, text), options())
    assert "\n" not in str(caught.value)


def test_bad_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("caf\u00e9".encode("latin-1"))
    (tmp_path / "folder.csv").mkdir()
    for name, says in (
        ("latin.txt", "not UTF-8"),
        ("folder.csv", "is a folder"),
        ("no.csv", "does not exist"),
    ):
        with pytest.raises(UserError, match=says):
            read_rows(tmp_path / name, options())
    with pytest.raises(UserError, match="--limit 0"):
        read_rows(written(tmp_path / "in.txt", "one"), options(), 0)


def test_bad_parquet_files_are_named(tmp_path: Path) -> None:
    for columns, says in (
        ({"txt": ["a"]}, "did you mean 'text'"),
        ({"id": ["a"]}, "no column 'text'"),
        ({"text": ["a", None]}, "row 2 of .*text is empty"),
        ({"text": [["a"]]}, "give text"),
    ):
        with pytest.raises(UserError, match=says):
            read_rows(parquet(tmp_path / "in.parquet", columns), options())
    with pytest.raises(UserError, match="no Parquet file"):
        read_rows(written(tmp_path / "in.parquet", "text\none\n"), options())


def test_a_missing_pyarrow_is_answered_with_what_installs_it(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install 'llasa-search\[parquet\]'"):
        read_rows(written(tmp_path / "in.parquet", ""), options())


def test_recordings_of_rows_are_looked_at(tmp_path: Path, voice: Any) -> None:
    write_audio(tmp_path / "short.wav", voice[:1600])
    row = {"text": "a", "prompt_audio": "short.wav", "prompt_text": "b"}
    path = written(tmp_path / "in.jsonl", json.dumps({"text": "fine"}) + "\n" + json.dumps(row))
    with pytest.raises(UserError, match=r"line 2 of .*in\.jsonl: the prompt audio lasts 0\.10 s"):
        read_rows(path, options())
    with pytest.raises(UserError, match="--no-prompt contradicts"):
        read_rows(path, options("--no-prompt"))


def test_ids_stay_in_the_folder() -> None:
    assert file_name("../../etc/passwd") == "%2E.%2F..%2Fetc%2Fpasswd"
    assert file_name(".hidden") == "%2Ehidden"
    assert file_name("u-1_a.b c") == "u-1_a.b c"
    assert file_name("\u6587 a%2Fb\n\0") == "\u6587 a%252Fb%0A%00"


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1), unique=True, min_size=2, max_size=2
    )
)
def test_ids_never_share_a_file(ids: list[str]) -> None:
    one, other = map(file_name, ids)
    assert one != other
    assert Path("audio", one).parent == Path("audio") and not one.startswith(".")
