"""PP-OCR v4: reads a line of text from a picture, with the trained network of the package rapidocr-onnxruntime.

python -m examples.models.ppocr    reads a drawn line
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import onnx
from PIL import Image, ImageDraw, ImageFont

HEIGHT, WIDTH = 48, 320
BLANK = 0  # the class between two characters
INPUT = "x"


def onnx_file() -> Path:
    """The package's recogniser: input `x` [batch, 3, 48, width], output [batch, steps, characters], probabilities."""
    return Path(str(resources.files("rapidocr_onnxruntime") / "models" / "ch_PP-OCRv4_rec_infer.onnx"))


@cache
def characters() -> list[str]:
    """What each class of the output stands for; the file carries the list itself."""
    properties = {entry.key: entry.value for entry in onnx.load(onnx_file()).metadata_props}
    return ["", *properties["character"].splitlines(), " "]


def drawn(text: str, height: int = 40) -> np.ndarray:
    """A picture of `text` in black on white, uint8 [height, width, 3]."""
    font = ImageFont.load_default(size=height * 0.7)
    left, top, right, bottom = font.getbbox(text)
    margin = (height - (bottom - top)) // 2
    picture = Image.new("RGB", (int(right - left) + 2 * margin, height), "white")
    ImageDraw.Draw(picture).text((margin - left, margin - top), text, "black", font)
    return np.asarray(picture)


def as_input(picture: np.ndarray, width: int = WIDTH) -> np.ndarray:
    """The picture scaled to 48 rows and padded to `width` columns: float32 [1, 3, 48, width] in -1..1."""
    columns = min(width, round(picture.shape[1] * HEIGHT / picture.shape[0]))
    scaled = Image.fromarray(picture).resize((columns, HEIGHT), Image.BILINEAR)
    line = np.zeros((1, 3, HEIGHT, width), np.float32)
    line[0, :, :, :columns] = np.asarray(scaled, np.float32)[..., ::-1].transpose(2, 0, 1) / 127.5 - 1.0
    return line


def text(probabilities: np.ndarray) -> str:
    """The likeliest text of probabilities [1, steps, characters]: repeats merge, blanks go (greedy CTC)."""
    steps = probabilities[0].argmax(1)
    starts = np.concatenate([[True], steps[1:] != steps[:-1]])
    return "".join(characters()[step] for step in steps[starts & (steps != BLANK)])


EXAMPLE = "Tetrarch reads 42 words"


def main() -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(onnx_file()))
    print(text(session.run(None, {INPUT: as_input(drawn(EXAMPLE))})[0]))


if __name__ == "__main__":
    main()
