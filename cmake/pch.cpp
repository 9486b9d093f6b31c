// Compiled for the sake of its precompiled header, pch.h or mlir_pch.h.
