// Compiled for the sake of its precompiled header, mlir_pch.h.
