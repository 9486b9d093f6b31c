"""The readers that bring trained weights in."""

from __future__ import annotations

import io
import os
import pickle

import numpy as np
import pytest
import torch

from examples.models import legacy_pth


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint in the old format, written by PyTorch itself."""
    path = tmp_path / "weights.pth"
    tensors = {
        "a": torch.arange(6.0).reshape(2, 3),
        "b": torch.tensor([7, 8]),
        "t": torch.arange(6.0).reshape(2, 3).T,
    }
    torch.save(tensors, path, _use_new_zipfile_serialization=False)
    return path


def test_reads_what_pytorch_wrote(checkpoint):
    read, expected = legacy_pth.read(checkpoint), torch.load(checkpoint, weights_only=True)
    assert list(read) == list(expected)
    for name, tensor in expected.items():
        np.testing.assert_array_equal(read[name], tensor.numpy())


def test_runs_no_code_of_the_file(tmp_path):
    class Harmful:
        def __reduce__(self):
            return os.system, ("exit 1",)

    path = tmp_path / "harmful.pth"
    path.write_bytes(pickle.dumps(Harmful(), protocol=2))
    with pytest.raises(pickle.UnpicklingError, match=r"system.*not allowed"):
        legacy_pth.read(path)


def test_a_truncated_file_is_an_error(checkpoint, tmp_path):
    whole = checkpoint.read_bytes()
    cut = tmp_path / "cut.pth"
    for size in range(0, len(whole), 37):
        cut.write_bytes(whole[:size])
        with pytest.raises((ValueError, EOFError, pickle.UnpicklingError)):
            legacy_pth.read(cut)


def test_a_tensor_beyond_its_storage_is_an_error(checkpoint, tmp_path):
    enlarged = io.BytesIO(checkpoint.read_bytes().replace(b"K\x02K\x03", b"K\x02K\x63"))
    path = tmp_path / "enlarged.pth"
    path.write_bytes(enlarged.getvalue())
    with pytest.raises(ValueError, match="beyond its storage"):
        legacy_pth.read(path)
