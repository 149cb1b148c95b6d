"""What rows of each kind of file ask for, and how bad ones are refused; no model is involved."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.request_options import RequestOptions
from experiments.runs.dataset import Row, check_texts, file_name, read_rows
from experiments.runs.tables import ColumnMapping
from llasa_core.audio import write_audio
from llasa_core.errors import UserError
from llasa_core.voices import find_voice, shipped_voices

VOICE = shipped_voices()[1]


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
    assert brief(read_rows(write(tmp_path), RequestOptions())) == WANTED


def test_a_text_file_has_one_text_a_line(tmp_path: Path) -> None:
    path = written(tmp_path / "in.txt", "One line.\n\n  Another,\u2028with one.  \r\nThe last")
    rows = read_rows(path, RequestOptions(seed=3))
    texts = ["One line.", "Another, with one.", "The last"]
    assert brief(rows) == [(f"00000{k}", text, 3) for k, text in enumerate(texts, start=1)]
    assert [row.where for row in rows] == [f"line {number} of {path}" for number in (1, 3, 4)]
    assert brief(read_rows(path, RequestOptions(seed=3), 2)) == brief(rows)[:2]


def test_breaks_between_scenes_are_left_out(tmp_path: Path, capsys: Any) -> None:
    path = written(tmp_path / "in.txt", "One.\n\n***\nTwo.\n\u2014\n* * *\n")
    assert brief(read_rows(path, RequestOptions())) == [("000001", "One.", 0), ("000002", "Two.", 0)]
    note = f"note: 3 lines without a letter or digit are left out: line 3 of {path}\n"
    assert capsys.readouterr().err == note


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("header", ["id text", "ID TEXT", "Id Text"])
def test_marks_between_cells_and_capitals_make_no_difference(mark: str, header: str, tmp_path: Path) -> None:
    lines = [header.replace(" ", mark), f'u1{mark}"One{mark} two."', f"u2{mark}Three."]
    path = written(tmp_path / "in.csv", "\n".join(lines))
    assert brief(read_rows(path, RequestOptions())) == [
        ("u1", " ".join(f"One{mark} two.".split()), 0),
        ("u2", "Three.", 0),
    ]


MAPPED = ColumnMapping(text="sentence", id="path")


def test_columns_of_other_names_are_mapped_and_others_left_out(tmp_path: Path, capsys: Any) -> None:
    rows = [{"path": "a", "sentence": "One.", "text": "not this", "up_votes": 3, "vioce": [1]}]
    table = {name: [row[name] for row in rows] for name in rows[0]}
    lines = ["path,sentence,text,up_votes,vioce", "a,One.,not this,3,x"]
    for path in (
        written(tmp_path / "in.jsonl", json.dumps(rows[0])),
        written(tmp_path / "in.csv", "\n".join(lines)),
        parquet(tmp_path / "in.parquet", table),
    ):
        assert brief(read_rows(path, RequestOptions(), columns=MAPPED)) == [("a", "One.", 0)]
        told = "note: columns that are not used: 'text', 'up_votes', 'vioce' (did you mean 'voice'?)\n"
        assert capsys.readouterr().err == told
    for wrong, says in (
        (ColumnMapping(text="sentense"), "did you mean 'sentence'"),
        (ColumnMapping(id="no"), "--id-c"),
    ):
        with pytest.raises(UserError, match=says):
            read_rows(written(tmp_path / "in.csv", "\n".join(lines)), RequestOptions(), columns=wrong)


@pytest.mark.parametrize("below", [".", "data"])
def test_a_folder_of_parquet_files_is_one_list(below: str, tmp_path: Path) -> None:
    folder = tmp_path / below
    folder.mkdir(exist_ok=True)
    for number in (1, 0):
        parquet(
            folder / f"train-0000{number}-of-00002.parquet", {"text": [f"part {number}"], "audio": [b"x"]}
        )
    assert [row.text for row in read_rows(tmp_path, RequestOptions())] == ["part 0", "part 1"]
    parquet(folder / "test-00000-of-00001.parquet", {"text": ["a"]})
    with pytest.raises(UserError, match=r"several sets of texts \(test, train\)"):
        read_rows(tmp_path, RequestOptions())
    with pytest.raises(UserError, match=r"holds no \.parquet files"):
        read_rows(tmp_path / "..", RequestOptions())


def test_all_bad_rows_are_named_at_once(tmp_path: Path) -> None:
    lines = ['{"text": "fine"}', "{", '{"text": ""}', "[]", '{"text": "a", "seed": -1}']
    with pytest.raises(UserError) as caught:
        read_rows(written(tmp_path / "in.jsonl", "\n".join(lines)), RequestOptions())
    said = str(caught.value)
    assert said.startswith("4 rows cannot be spoken: line 2 of") and "\n" not in said
    assert all(f"line {number} of" in said for number in (2, 3, 4, 5))
    with pytest.raises(UserError, match=r"^12 rows .*; and 2 more$") as caught:
        read_rows(written(tmp_path / "in.jsonl", '{"text": "?"}\n' * 12), RequestOptions())
    assert str(caught.value).count("no letter or digit") == 10


def test_rows_that_are_too_long_are_named_before_a_model_is_loaded(
    tmp_path: Path, tiny_generator: Path
) -> None:
    texts = ["short", "word " * 1500, "fine", "more " * 2000, "a sentence of some length, " * 8]
    rows = read_rows(written(tmp_path / "in.txt", "\n".join(texts)), RequestOptions())
    with pytest.raises(UserError, match=r"^2 rows .*line 2 of .*shorten the text.*line 4 of "):
        check_texts(rows, str(tiny_generator), 40.0)
    check_texts([rows[0], rows[2], rows[4]], str(tiny_generator), 40.0)


def test_each_form_of_a_line_of_a_meta_list_is_read(recordings: Path) -> None:
    absolute = recordings / "sounds/a.wav"
    path = written(
        recordings / "meta.lst",
        "\ufeffu1|Said before.|sounds/a.wav|To be said.|truth/u1.wav\n"
        f"u2|\u4f60\u597d\u3002|{absolute}|\u4e16\u754c\u2028\u3002\n\nu4|It's 5 o'clock.\n",
    )
    found = read_rows(path, RequestOptions())
    assert [(row.id, row.text, row.prompt_text) for row in found[:2]] == [
        ("u1", "To be said.", "Said before."),
        ("u2", "\u4e16\u754c \u3002", "\u4f60\u597d\u3002"),
    ]
    assert all(row.prompt_audio is not None and row.prompt_audio.samefile(absolute) for row in found[:2])
    assert (found[2].id, found[2].text, found[2].where) == ("u4", "It's 5 o'clock.", f"line 4 of {path}")


def test_a_meta_list_brings_its_voices(recordings: Path) -> None:
    path = written(recordings / "meta.lst", "u1|said before|sounds/a.wav|To be said.\nu2|Without a voice.\n")
    first, second = read_rows(path, RequestOptions(voice=VOICE.name))
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
    own, named, default = read_rows(path, RequestOptions(emotion="happy", language="fr"))
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
        read_rows(written(recordings / "in.txt", "one"), RequestOptions(no_prompt=True))[0]
        .request()
        .prompt_audio
        is None
    )


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("in.csv", "txt\none\n", r"no column 'text' \(it has txt\).*--text-column"),
        ("in.csv", "id\none\n", r"no column 'text' \(it has id\)"),
        ("in.csv", "text,Text\na,b\n", "two columns 'text'"),
        ("in.csv", "", "it is empty"),
        ("in.csv", "text\n", "holds no texts"),
        ("in.csv", "text,text\na,b\n", "two columns 'text'"),
        ("in.csv", "text,id\nfine,1\none, two,3\n", r"line 3 of .*3 cells and the first line 2"),
        ("in.csv", "text,id\nfine\n", "line 2 of .*1 cells"),
        ("in.csv", 'text\n"open\n', "line 2 of .*no CSV"),
        ("in.csv", "text,id\n,1\n", "line 2 of .*text is empty"),
        ("in.jsonl", "[" * 100_000, "nested deeper"),
        ("in.jsonl", '{"text": "one", "seed": ' + "9" * 5000 + "}", "5000 digits"),
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
        ("in.jsonl", '{"text": "one", "id": "a"}\n{"text": "two", "id": "a"}', "line 2 .*'a' is that"),
        ("in.jsonl", '{"text": "one", "id": "000002"}\n{"text": "two"}', "line 2 .*'000002' is that"),
        ("in.jsonl", json.dumps({"text": "one", "id": "x" * 201}), "too long for the name of a file"),
        ("in.csv", "text,seed\none," + "9" * 5000 + "\n", "line 2 of .*2\\^63"),
        ("in.lst", "u1\n", r"line 1 of .*in\.lst has 1 fields: write utt\|prompt_text"),
        ("in.lst", "u1|one|two|three|four|five\n", "has 6 fields"),
        ("in.lst", "u1|one\nu1|two\n", "line 2 .*'u1' is that of line 1"),
        ("in.lst", "u2|p|gone.wav|t", r"gone\.wav does not exist"),
        ("in.txt", "\n \n", "holds no texts"),
        ("in.csv", "text\none\n?!\n", "line 3 .*no letter or digit"),
        ("in.txt", "a <|s_3|> b", "marker"),
        ("in.md", "# One", "no markup"),
        ("in.xlsx", "one", "cannot tell what .*in.xlsx is: give a file that ends in .jsonl"),
    ],
)  # fmt: skip
def test_bad_rows_are_named(name: str, text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=says) as caught:
        read_rows(written(tmp_path / name, text), RequestOptions())
    assert "\n" not in str(caught.value)


def test_bad_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("caf\u00e9".encode("latin-1"))
    (tmp_path / "folder.csv").mkdir()
    for name, says in (
        ("latin.txt", "not UTF-8"),
        ("folder.csv", "holds no .parquet files"),
        ("no.csv", "does not exist"),
    ):
        with pytest.raises(UserError, match=says):
            read_rows(tmp_path / name, RequestOptions())
    with pytest.raises(UserError, match="--limit 0"):
        read_rows(written(tmp_path / "in.txt", "one"), RequestOptions(), 0)


def test_bad_parquet_files_are_named(tmp_path: Path) -> None:
    for columns, says in (
        ({"txt": ["a"]}, "--text-column"),
        ({"id": ["a"]}, "no column 'text'"),
        ({"text": ["a", None]}, "row 2 of .*text is empty"),
        ({"text": [["a"]]}, "give text"),
    ):
        with pytest.raises(UserError, match=says):
            read_rows(parquet(tmp_path / "in.parquet", columns), RequestOptions())
    with pytest.raises(UserError, match="no Parquet file"):
        read_rows(written(tmp_path / "in.parquet", "text\none\n"), RequestOptions())


def test_dates_out_of_range_are_no_traceback(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    dates = pyarrow.array([2**62], pyarrow.timestamp("us"))
    with pytest.raises(UserError, match=r"in\.parquet"):
        read_rows(parquet(tmp_path / "in.parquet", {"text": ["a"], "id": dates}), RequestOptions())


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", [".txt", ".csv", ".jsonl", ".lst", ".parquet"])
def test_pipes_and_devices_are_refused_and_never_waited_for(kind: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / f"pipe{kind}")
    (tmp_path / f"zero{kind}").symlink_to("/dev/zero")
    (tmp_path / f"loop{kind}").symlink_to(tmp_path / f"loop{kind}")
    names = [f"pipe{kind}", f"zero{kind}", f"loop{kind}", f"{'x' * 300}{kind}", f"a\0b{kind}"]
    for name in (*(tmp_path / name for name in names), Path(f"~nosuchuser/x{kind}")):
        with pytest.raises(UserError) as caught:
            read_rows(name, RequestOptions())
        assert "\n" not in str(caught.value) and str(caught.value).isprintable()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("column", ["prompt_audio", "emotion_audio"])
@pytest.mark.parametrize("file", ["pipe.wav", "/dev/zero", "x" * 300, "a\0b", "~nosuchuser/x.wav", "."])
def test_recordings_of_rows_are_regular_files(column: str, file: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    path = written(tmp_path / "in.jsonl", json.dumps({"text": "a", column: file, "prompt_text": "b"}))
    with pytest.raises(UserError, match=r"^line 1 of") as caught:
        read_rows(path, RequestOptions())
    assert "\n" not in str(caught.value)


def test_a_missing_pyarrow_is_answered_with_what_installs_it(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install 'llasa-search\[parquet\]'"):
        read_rows(written(tmp_path / "in.parquet", ""), RequestOptions())


def test_recordings_of_rows_are_looked_at(tmp_path: Path, voice: Any) -> None:
    write_audio(tmp_path / "short.wav", voice[:1600])
    row = {"text": "a", "prompt_audio": "short.wav", "prompt_text": "b"}
    path = written(tmp_path / "in.jsonl", json.dumps({"text": "fine"}) + "\n" + json.dumps(row))
    with pytest.raises(UserError, match=r"line 2 of .*in\.jsonl: the prompt audio lasts 0\.10 s"):
        read_rows(path, RequestOptions())
    with pytest.raises(UserError, match="--no-prompt contradicts"):
        read_rows(path, RequestOptions(no_prompt=True))


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
