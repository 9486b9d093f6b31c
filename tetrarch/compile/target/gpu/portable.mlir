// The source of whole networks is OpenCL C 1.2 without any extension, whoever compiles it.
//
// RUN: tetrarch-kernel --emit opencl %S/../../tile/test/resnet50.mlir > %t.cl
// RUN: tetrarch-kernel --emit opencl %S/../../tile/test/minilm.mlir > %t.minilm.cl
// RUN: clang-22 -target spir64 -x cl -cl-std=CL1.2 -Xclang -cl-ext=-all -Xclang -finclude-default-header -DTET_LOCAL_ITEMS=64 -Wall -Wextra -Wno-unused-parameter -Werror -fsyntax-only %t.cl %t.minilm.cl
// RUN: clang-22 -target amdgcn -x cl -cl-std=CL1.2 -Xclang -cl-ext=-all -Xclang -finclude-default-header -DTET_LOCAL_ITEMS=64 -Wall -Wextra -Wno-unused-parameter -Werror -fsyntax-only %t.cl %t.minilm.cl
// RUN: clang-22 -target nvptx64 -x cl -cl-std=CL1.2 -Xclang -cl-ext=-all -Xclang -finclude-default-header -DTET_LOCAL_ITEMS=64 -Wall -Wextra -Wno-unused-parameter -Werror -fsyntax-only %t.cl %t.minilm.cl
