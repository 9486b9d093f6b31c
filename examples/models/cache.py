"""Where made ONNX files are kept, and how a PyTorch module becomes one."""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from onnxscript import optimizer

OPSET = 18
REPOSITORY = Path(__file__).resolve().parents[2]


def cache_folder() -> Path:
    """$TETRARCH_MODELS, else build/models in this repository."""
    folder = Path(os.environ.get("TETRARCH_MODELS", REPOSITORY / "build" / "models"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cached(name: str, write: Callable[[Path], None]) -> Path:
    """The file or folder `name` of the cache folder; `write(path)` makes it when it is missing.

    It is written beside its place and renamed, so that an interrupted run leaves no half of it, and of two processes
    that make it at once the first one's stays where it is a folder.
    """
    path = cache_folder() / name
    if not path.exists():
        partial = path.with_name(f".{os.getpid()}.{name}")
        try:
            write(partial)
            partial.replace(path)
        except OSError:
            if not path.is_dir():
                raise
        finally:
            if partial.is_dir():
                shutil.rmtree(partial)
            partial.unlink(missing_ok=True)
    return path


def export(
    module: torch.nn.Module,
    inputs: tuple[torch.Tensor, ...],
    path: Path,
    input_names: Sequence[str],
    output_names: Sequence[str],
    dynamic_shapes: tuple | None = None,
    external_data: bool = False,
) -> None:
    """Write `module`, traced on `inputs`, as one ONNX file with its weights inside, or in one beside it."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of every library that is not installed
    warnings.filterwarnings("ignore", category=FutureWarning, module="copyreg")
    program = torch.onnx.export(
        module.eval(),
        inputs,
        input_names=list(input_names),
        output_names=list(output_names),
        opset_version=OPSET,
        dynamic_shapes=dynamic_shapes,
        external_data=False,
        dynamo=True,
        optimize=False,  # it would fold batch norm away, which is for the compiler under test to do
        verbose=False,
    )
    optimizer.inline(program.model)
    optimizer.fold_constants(program.model)
    optimizer.remove_unused_nodes(program.model)
    program.save(str(path), external_data=external_data)


def export_script(
    module: torch.nn.Module,
    inputs: dict[str, torch.Tensor],
    path: Path,
    output_names: Sequence[str],
    axes: Mapping[str, Mapping[int, str]],
    opset: int,
) -> None:
    """Write `module` by the TorchScript exporter: an older opset, shapes as chains of operators."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # it is deprecated, and warns of every shape that it takes for a constant
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            str(path),
            input_names=list(inputs),
            output_names=list(output_names),
            opset_version=opset,
            dynamic_axes={name: dict(named) for name, named in axes.items()},
            dynamo=False,
        )
