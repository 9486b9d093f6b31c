"""The networks that the demo, the tests and the benchmarks run, made into ONNX files.

Each module has `onnx_file()`, which makes its file once, keeps it in the cache folder and returns its path.
"""
