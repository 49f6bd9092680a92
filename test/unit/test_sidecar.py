"""Where large payloads go when a module is printed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp

from bsc.dialects.bsw import BlobOp
from bsc.dialects.payload import INLINE_LIMIT, Payload, PayloadAttr
from bsc.sidecar import save_payloads
from bsc.tools import opt

LARGE = INLINE_LIMIT + 1


def content(seed: int, size: int = LARGE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8)


def blobs(*payloads: Payload) -> ModuleOp:
    return ModuleOp([BlobOp(f"b{i}", PayloadAttr(p)) for i, p in enumerate(payloads)])


def payload(module: ModuleOp, index: int) -> Payload:
    op = list(module.ops)[index]
    assert isinstance(op, BlobOp)
    return op.data.data


def test_small_and_equal_bytes_need_no_file(tmp_path: Path):
    module = blobs(Payload(content(0, INLINE_LIMIT)), Payload(np.ones(10 * LARGE, np.uint8)))
    assert save_payloads(module, tmp_path / "m.weights.bin", tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    assert payload(module, 0).file is None


def test_large_payloads_are_written_one_after_the_other(tmp_path: Path):
    module = blobs(Payload(content(0)), Payload(content(1, 3)), Payload(content(2)))
    path = tmp_path / "m.weights.bin"
    assert save_payloads(module, path, tmp_path) == (path, 2 * LARGE, True)
    assert path.read_bytes() == content(0).tobytes() + content(2).tobytes()
    assert [(payload(module, i).file, payload(module, i).offset) for i in range(3)] == [
        ("m.weights.bin", 0),
        (None, 0),
        ("m.weights.bin", LARGE),
    ]
    assert os.listdir(tmp_path) == ["m.weights.bin"]


def test_what_is_shared_is_written_once(tmp_path: Path):
    shared = Payload(content(0))
    module = blobs(shared, shared)
    assert save_payloads(module, tmp_path / "m.weights.bin", tmp_path) is not None
    assert (tmp_path / "m.weights.bin").stat().st_size == LARGE
    assert payload(module, 0) is payload(module, 1)


def test_the_same_content_is_left_alone(tmp_path: Path):
    path = tmp_path / "m.weights.bin"
    assert save_payloads(blobs(Payload(content(0))), path, tmp_path) == (path, LARGE, True)
    os.utime(path, (1, 1))
    assert save_payloads(blobs(Payload(content(0))), path, tmp_path) == (path, LARGE, False)
    assert save_payloads(blobs(Payload(content(0))), path, tmp_path, replace=False) == (
        path,
        LARGE,
        False,
    )
    assert path.stat().st_mtime == 1


def test_a_payload_in_the_replaced_file_moves_along(tmp_path: Path):
    path = tmp_path / "m.weights.bin"
    path.write_bytes(content(0).tobytes())
    old = Payload(np.memmap(path, np.uint8, "r"), path.name)
    module = blobs(Payload(content(1)), old)
    assert save_payloads(module, path, tmp_path) == (path, 2 * LARGE, True)
    assert path.read_bytes() == content(1).tobytes() + content(0).tobytes()
    assert payload(module, 1).offset == LARGE


def test_a_stream_never_replaces_a_file(tmp_path: Path):
    path = tmp_path / "m.weights.bin"
    path.write_bytes(content(0).tobytes())
    old = Payload(np.memmap(path, np.uint8, "r"), path.name)
    module = blobs(Payload(content(1)), old)
    sidecar = save_payloads(module, path, tmp_path, replace=False)
    assert sidecar is not None
    assert sidecar.path != path
    assert path.read_bytes() == content(0).tobytes()
    assert sidecar.path.read_bytes() == content(1).tobytes()
    assert (payload(module, 0).file, payload(module, 1).file) == (sidecar.path.name, path.name)


def test_references_follow_the_text(tmp_path: Path):
    below = tmp_path / "models"
    below.mkdir()
    file = below / "m.weights.bin"
    file.write_bytes(content(0).tobytes())

    upward = blobs(Payload(content(0), file.name, 0))
    assert save_payloads(upward, tmp_path / "n.weights.bin", below) is None
    assert payload(upward, 0).file == "models/m.weights.bin"

    aside = tmp_path / "elsewhere"
    aside.mkdir()
    moved = blobs(Payload(content(0), file.name, 0))
    assert save_payloads(moved, aside / "n.weights.bin", below) is not None
    assert payload(moved, 0).file == "n.weights.bin"
    assert (aside / "n.weights.bin").read_bytes() == content(0).tobytes()


def test_a_folder_that_is_not_there(tmp_path: Path):
    with pytest.raises(OSError, match="No such file"):
        save_payloads(blobs(Payload(content(0))), tmp_path / "no" / "m.weights.bin", tmp_path)


def test_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Reading, changing and writing one file, twice, and each chunk of a split file."""
    monkeypatch.chdir(tmp_path)
    text = Path("m.mlir")
    text.write_text(str(blobs(Payload(content(0)))))
    for arch in ("npu1", "npu2"):
        assert opt.run(["m.mlir", "-o", "m.mlir", f"--set-arch={arch}"]) == 0
        assert f'"{arch}"' in text.read_text()
        assert 'file "m.weights.bin", at 0' in text.read_text()

    modules = [str(blobs(Payload(content(seed)))) for seed in (1, 2)]
    text.write_text("\n// -----\n".join(modules))
    assert opt.run(["m.mlir", "-o", "out.mlir", "--split-input-file"]) == 0
    assert Path("out.weights.bin").read_bytes() == content(1).tobytes()
    assert Path("out.1.weights.bin").read_bytes() == content(2).tobytes()
    assert opt.run(["out.mlir", "-o", "/dev/null", "--split-input-file"]) == 0
