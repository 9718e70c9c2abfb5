"""Readers of the standard files and their download, from a server on this machine with small files of that form."""

import os
import tarfile

import numpy as np
import pytest
from data_server import md5, server, tar_of

from minigrad.datasets.download import check_integrity, download, extract_tar

__all__ = ["server"]  # the fixture

BLOB = np.random.default_rng(0).bytes(10_000)


# ---- downloading


def test_a_download_is_checked_and_kept(server, tmp_path):
    server.files["blob"] = BLOB
    path = download(server.url("blob"), tmp_path / "deep" / "blob", md5(BLOB))
    assert path.read_bytes() == BLOB
    download(server.url("blob"), path, md5(BLOB))
    download(server.url("blob"), path)
    assert len(server.asked) == 1
    path.write_bytes(b"spoilt")
    assert not check_integrity(path, md5(BLOB))
    download(server.url("blob"), path, md5(BLOB))
    assert path.read_bytes() == BLOB
    assert os.listdir(path.parent) == ["blob"]


def test_a_broken_connection_is_resumed(server, tmp_path):
    server.files["blob"] = BLOB
    server.faults = ["breaks", "breaks"]
    download(server.url("blob"), tmp_path / "blob", md5(BLOB))
    assert (tmp_path / "blob").read_bytes() == BLOB
    assert server.asked == [("blob", None), ("blob", "bytes=5000-"), ("blob", "bytes=7500-")]


def test_a_killed_download_is_resumed(server, tmp_path):
    server.files["blob"] = BLOB
    (tmp_path / "blob.part").write_bytes(BLOB[:9000])
    download(server.url("blob"), tmp_path / "blob", md5(BLOB))
    assert (tmp_path / "blob").read_bytes() == BLOB
    assert server.asked == [("blob", "bytes=9000-")]


def test_a_complete_part_needs_no_more(server, tmp_path):
    server.files["blob"] = BLOB
    (tmp_path / "blob.part").write_bytes(BLOB)
    download(server.url("blob"), tmp_path / "blob", md5(BLOB))
    assert (tmp_path / "blob").read_bytes() == BLOB


@pytest.mark.parametrize("left_over", [b"x" * 4000, b"x" * 20_000])
def test_what_was_left_of_another_file_is_thrown_away(server, tmp_path, left_over):
    server.files["blob"] = BLOB
    (tmp_path / "blob.part").write_bytes(left_over)
    download(server.url("blob"), tmp_path / "blob", md5(BLOB))
    assert (tmp_path / "blob").read_bytes() == BLOB


def test_a_server_without_ranges(server, tmp_path):
    server.files["blob"] = BLOB
    server.faults = ["breaks", "no ranges"]
    download(server.url("blob"), tmp_path / "blob", md5(BLOB))
    assert (tmp_path / "blob").read_bytes() == BLOB


def test_without_a_checksum_nothing_is_resumed(server, tmp_path):
    server.files["blob"] = BLOB
    server.faults = ["breaks"]
    download(server.url("blob"), tmp_path / "blob")
    assert (tmp_path / "blob").read_bytes() == BLOB
    assert server.asked == [("blob", None)] * 2


def test_errors_of_the_server_are_tried_again(server, tmp_path):
    server.files["blob"] = BLOB
    server.faults = [503, 500]
    download(server.url("blob"), tmp_path / "blob", md5(BLOB))
    assert len(server.asked) == 3


def test_mirrors(server, tmp_path):
    server.files |= {"wrong": b"something else", "blob": BLOB}
    urls = [server.url("missing"), server.url("wrong"), server.url("blob")]
    download(urls, tmp_path / "blob", md5(BLOB))
    assert [name for name, _ in server.asked] == ["missing", "wrong", "blob"]
    with pytest.raises(RuntimeError) as raised:
        download([*urls[:2], server.url("gone")], tmp_path / "other", "0" * 32)
    text = str(raised.value)
    assert "could not download other" in text
    assert "missing: HTTP 404 Not Found" in text
    assert f"the MD5 checksum {md5(b'something else')}, expected {'0' * 32}" in text
    assert f"put it at {tmp_path / 'other'}" in text
    assert sorted(os.listdir(tmp_path)) == ["blob"]


def test_no_network(server, tmp_path):
    server.server_close()
    server.socket.close()
    with pytest.raises(RuntimeError, match=r"no connection(?s:.*)If this machine has no network"):
        download(server.url("blob"), tmp_path / "blob", md5(BLOB))
    with pytest.raises(ValueError, match="http or https"):
        download("file:///etc/passwd", tmp_path / "blob")


def test_a_connection_that_keeps_breaking_leaves_what_came(server, tmp_path):
    server.files["blob"] = BLOB
    server.faults = ["breaks"] * 3
    with pytest.raises(RuntimeError, match="ended after 8,750 of 10,000 bytes"):
        download(server.url("blob"), tmp_path / "blob", md5(BLOB))
    assert (tmp_path / "blob.part").read_bytes() == BLOB[:8750]


# ---- archives


def test_extract(tmp_path):
    (tmp_path / "a.tgz").write_bytes(tar_of({"x/y/one": b"1", "./two": b"22"}))
    extract_tar(tmp_path / "a.tgz", tmp_path / "out")
    assert (tmp_path / "out/x/y/one").read_bytes() == b"1"
    assert (tmp_path / "out/two").read_bytes() == b"22"
    assert os.listdir(tmp_path / "out/x/y") == ["one"]


def link(kind, name, to):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


EVIL = {
    "up": ({"../evil": b"!"}, "outside"),
    "deep up": ({"a/../../evil": b"!"}, "outside"),
    "absolute": ({"/tmp/evil": b"!"}, "outside"),
    "drive": ({"C:/evil": b"!"}, "outside"),
    "backslash": ({"..\\evil": b"!"}, "outside"),
    "symlink": ({"a": link(tarfile.SYMTYPE, "a", "/etc"), "a/evil": b"!"}, "neither a file nor a folder"),
    "hard link": ({"a": link(tarfile.LNKTYPE, "a", "/etc/passwd")}, "neither"),
    "device": ({"a": link(tarfile.CHRTYPE, "a", "")}, "neither"),
}


@pytest.mark.parametrize("name", EVIL)
def test_evil_archives(tmp_path, name):
    members, says = EVIL[name]
    (tmp_path / "a.tgz").write_bytes(tar_of(members))
    with pytest.raises(ValueError, match=says):
        extract_tar(tmp_path / "a.tgz", tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["a.tgz"]


@pytest.mark.parametrize("cut", [0, 10, 60, 140])
def test_damaged_archives(tmp_path, cut):
    whole = tar_of({"x": BLOB})
    (tmp_path / "a.tgz").write_bytes(whole[: len(whole) * cut // 150])
    with pytest.raises(ValueError, match="is damaged"):
        extract_tar(tmp_path / "a.tgz", tmp_path / "out")
    assert not (tmp_path / "out/x").exists()
