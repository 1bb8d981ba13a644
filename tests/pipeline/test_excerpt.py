"""A small part of files has their layout, and says where there is none."""

from millrace.pipeline import excerpt


def test_of_a_folder_it_is_a_few_files_of_each_folder_below_it(tmp_path, monkeypatch):
    monkeypatch.setattr(excerpt, "_OF_A_FOLDER", 2)
    source = tmp_path / "all"
    for name in ["labels.csv", "cat/0.png", "cat/1.png", "cat/2.png", "dog/0.png", "dog/.hidden"]:
        file = source / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"\0" + name.encode())
    assert excerpt.take(source, tmp_path / "few")
    taken = {str(f.relative_to(tmp_path / "few")) for f in (tmp_path / "few").rglob("*.*")}
    assert taken == {"labels.csv", "cat/0.png", "cat/1.png", "dog/0.png"}
    assert (tmp_path / "few" / "cat" / "1.png").read_bytes() == b"\0cat/1.png"


def test_of_a_text_file_it_is_the_first_whole_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(excerpt, "_HEAD", 12)
    (tmp_path / "a.csv").write_text("x,y\n1,2\n3,4\n5,6\n")
    assert excerpt.take(tmp_path / "a.csv", tmp_path / "few" / "a.csv")
    assert (tmp_path / "few" / "a.csv").read_text() == "x,y\n1,2\n3,4\n"
    (tmp_path / "b.csv").write_text("x,y\n1,2\n3,4")
    assert excerpt.take(tmp_path / "b.csv", tmp_path / "few" / "b.csv")
    assert (tmp_path / "few" / "b.csv").read_text() == "x,y\n1,2\n3,4"


def test_what_is_binary_and_large_has_none(tmp_path, monkeypatch):
    monkeypatch.setattr(excerpt, "_HEAD", 4)
    monkeypatch.setattr(excerpt, "_WHOLE", 8)
    (tmp_path / "a.zip").write_bytes(b"PK\0\0" + b"1" * 8)
    assert not excerpt.take(tmp_path / "a.zip", tmp_path / "few" / "a.zip")
    (tmp_path / "b.png").write_bytes(b"PK\0\0" + b"1" * 4)
    assert excerpt.take(tmp_path / "b.png", tmp_path / "few" / "b.png")


def test_many_files_and_large_ones_take_long(tmp_path, monkeypatch):
    monkeypatch.setattr(excerpt, "MANY", 3)
    monkeypatch.setattr(excerpt, "LARGE", 100)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"x" * 49)
    assert not excerpt.is_long(tmp_path)
    (tmp_path / "c").touch()
    assert excerpt.is_long(tmp_path)
    (tmp_path / "c").unlink()
    (tmp_path / "a").write_bytes(b"x" * 51)
    assert excerpt.is_long(tmp_path)
    assert not excerpt.is_long(tmp_path / "a")


def test_what_is_not_there_or_not_read_by_an_ingest_takes_no_time(tmp_path, monkeypatch):
    monkeypatch.setattr(excerpt, "MANY", 2)
    (tmp_path / "a").touch()
    (tmp_path / ".b").touch()
    (tmp_path / "c").symlink_to("nothing")
    assert not excerpt.is_long(tmp_path)
    assert not excerpt.is_long(tmp_path / "gone")
