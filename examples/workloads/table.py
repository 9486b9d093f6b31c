"""All workloads, one row each."""

from __future__ import annotations

from examples.workloads import digits
from examples.workloads.black_scholes import BLACK_SCHOLES
from examples.workloads.filters import LAPLACIAN, MEAN, MEDIAN, SOBEL
from examples.workloads.grids import HOTSPOT, SRAD
from examples.workloads.histogram import HISTOGRAM
from examples.workloads.resnet_stage import RESNET50_STAGE1
from examples.workloads.sha256 import SHA256, SHA256_TWO_BLOCKS
from examples.workloads.ternary import TERNARY_MATMUL
from examples.workloads.transforms import DCT, DWT, FFT

WORKLOADS = {
    workload.name: workload
    for workload in (
        TERNARY_MATMUL,
        SHA256,
        SHA256_TWO_BLOCKS,
        SOBEL,
        LAPLACIAN,
        MEAN,
        MEDIAN,
        HOTSPOT,
        SRAD,
        HISTOGRAM,
        DWT,
        DCT,
        FFT,
        BLACK_SCHOLES,
        RESNET50_STAGE1,
        *(classifier.workload() for classifier in digits.CLASSIFIERS),
    )
}
