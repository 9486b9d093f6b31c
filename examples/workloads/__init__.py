"""Tensor programs of many kinds, each beside what must come out: filters, transforms, hashes, prices, small networks.

python -m examples.workloads                    the table
python -m examples.workloads sobel FOLDER       sobel.onnx, and its inputs and expected outputs as .npy
"""
