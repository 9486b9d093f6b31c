# Tests of compiler stages as text: every *.mlir below tetrarch/ that has a RUN line.
#
#   lit -v tetrarch                                     all of them, after a build
#   lit -v tetrarch/compile/fuse/fold_batch_norm.mlir   one
#
# TETRARCH_BUILD names another build folder than build/.

import os

import lit.formats

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
build = os.path.join(root, os.environ.get("TETRARCH_BUILD", "build"))

config.name = "tetrarch"
config.test_format = lit.formats.ShTest()
config.suffixes = [".mlir"]
config.test_source_root = os.path.join(root, "tetrarch")
config.test_exec_root = os.path.join(build, "lit")
config.environment["PATH"] = os.pathsep.join(
    [os.path.join(build, "bin"), "/usr/lib/llvm-22/bin", os.environ["PATH"]]
)
