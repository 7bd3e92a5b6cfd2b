"""Folders to the images in them."""

from __future__ import annotations

import logging
import os

import pytest

from dcz.dcformat import InputError
from dcz.runtime.vision import find as finding


def find(paths):
    return list(finding.find(paths))


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_folders_are_expanded_in_order(tmp_path):
    touch(tmp_path, "b.png", "a.JPG", "c.npy", "notes.txt", ".hidden", "folder.png/x.txt")
    found = find([tmp_path / "b.png", tmp_path])
    assert found == [str(tmp_path / name) for name in ("b.png", "a.JPG", "b.png", "c.npy")]


def test_class_folders_are_walked_each_after_the_files_of_its_own(tmp_path):
    touch(tmp_path, "dog/b.png", "dog/puppy/a.png", "cat/z.jpg", "cat/a.webp", "top.bmp", "empty/x.txt")
    names = ("top.bmp", "cat/a.webp", "cat/z.jpg", "dog/b.png", "dog/puppy/a.png")
    assert find([tmp_path]) == [str(tmp_path / name) for name in names]


def test_what_is_hidden_does_not_count(tmp_path, caplog):
    touch(tmp_path, "a.png", "._a.png", ".cache/b.png", "cat/.ipynb_checkpoints/c.png", "cat/._d.png", ".DS_Store")
    with caplog.at_level(logging.INFO, "dcz.runtime"):
        assert find([tmp_path]) == [str(tmp_path / "a.png")]
    assert not caplog.text


def test_one_line_says_what_was_passed_over(tmp_path, caplog):
    touch(tmp_path, "one/a.png", "one/a.gif", "two/b.png", "two/b.txt", "two/c.tif", "two/d/e.csv", "two/f.md")
    (tmp_path / "one" / "gone.png").symlink_to("nowhere")
    with caplog.at_level(logging.INFO, "dcz.runtime"):
        assert len(find([tmp_path / "one", tmp_path / "two"])) == 2
    (line,) = caplog.messages
    first = ", ".join(str(tmp_path / name) for name in ("one/a.gif", "one/gone.png", "two/b.txt"))
    assert line == f"passed over 6 files, not .png, .jpg, .jpeg, .webp, .bmp or .npy: {first} and 3 more"


def test_one_other_file_is_one_file(tmp_path, caplog):
    touch(tmp_path, "a.png", "notes.txt")
    with caplog.at_level(logging.INFO, "dcz.runtime"):
        find([tmp_path])
    assert caplog.messages[0].startswith("passed over 1 file, not .png, ")


def test_links_are_followed_but_not_in_circles(tmp_path):
    touch(tmp_path, "far/a.png", "here/b.png")
    (tmp_path / "here" / "cat").symlink_to(tmp_path / "far")
    (tmp_path / "here" / "again").symlink_to(tmp_path / "here")
    (tmp_path / "far" / "up").symlink_to(tmp_path)
    assert find([tmp_path / "here"]) == [str(tmp_path / "here" / name) for name in ("b.png", "cat/a.png")]


def test_folders_without_images_and_missing_paths(tmp_path):
    with pytest.raises(InputError, match="no image in this folder"):
        find([tmp_path])
    touch(tmp_path, "sub/a.gif")
    with pytest.raises(InputError, match=r"no image in this folder .*\.npy, found .*a\.gif"):
        find([tmp_path])
    with pytest.raises(InputError, match="nothing: no such file or folder"):
        find([tmp_path / "nothing"])


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    touch(tmp_path, "a.png", "shut/b.png")
    scan = os.scandir

    def refuse(folder):
        if str(folder).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(PermissionError, match="shut"):
        find([tmp_path])


def test_paths_are_checked_at_once_and_folders_walked_later(tmp_path):
    touch(tmp_path, "a.png")
    found = finding.find([tmp_path])
    touch(tmp_path, "b.png")
    assert list(found) == [str(tmp_path / name) for name in ("a.png", "b.png")]
    with pytest.raises(InputError, match="no such file"):
        finding.find([tmp_path, tmp_path / "nothing"])


def test_addresses_of_files_and_folders():
    memory = pytest.importorskip("fsspec").filesystem("memory")
    for name in ("/shots/b.png", "/shots/a.JPG", "/shots/day/c.npy", "/shots/notes.txt", "/shots/.hidden.png"):
        memory.pipe_file(name, b"")
    names = [f"memory:///shots/{name}" for name in ("a.JPG", "b.png", "day/c.npy")]
    assert find(["memory://shots", "memory://shots/notes.txt"]) == [*names, "memory://shots/notes.txt"]
    with pytest.raises(InputError, match="no such file or folder"):
        find(["memory://shots/nothing"])
