# MLIR's headers, precompiled once for all targets that include them: cmake/mlir_pch.h. With clang and Ninja, as the
# presets have it; elsewhere each file parses them itself.

set(TETRARCH_PRECOMPILES OFF)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_GENERATOR STREQUAL "Ninja")
  set(TETRARCH_PRECOMPILES ON)
endif()

# tetrarch_precompile_mlir() : makes the target that owns the precompiled header. After find_package(MLIR).
function(tetrarch_precompile_mlir)
  add_library(tetrarch_mlir_headers OBJECT "${PROJECT_SOURCE_DIR}/cmake/mlir_pch.cpp")
  tetrarch_use_mlir(tetrarch_mlir_headers)
  target_link_libraries(tetrarch_mlir_headers PRIVATE fmt::fmt)
  if(NOT TETRARCH_PRECOMPILES)
    return()
  endif()
  target_precompile_headers(tetrarch_mlir_headers PRIVATE "${PROJECT_SOURCE_DIR}/cmake/mlir_pch.h")
  # The result names files of this clone, so the compiler cache must not hand out another clone's; but what is
  # compiled with it may be shared: for that the cache takes this sum instead of the result's content.
  set_target_properties(tetrarch_mlir_headers PROPERTIES CXX_COMPILER_LAUNCHER "")
  file(SHA256 "${PROJECT_SOURCE_DIR}/cmake/mlir_pch.h" listed)
  file(SHA256 "${PROJECT_SOURCE_DIR}/cmake/before_mlir.h" before)
  file(SHA256 "${MLIR_INCLUDE_DIRS}/mlir/Config/mlir-config.h" configured)
  file(GENERATE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/tetrarch_mlir_headers.dir/cmake_pch.hxx.pch.sum"
    CONTENT "${listed} ${before} ${configured} ${LLVM_PACKAGE_VERSION} ${CMAKE_CXX_COMPILER_VERSION} ${fmt_VERSION}\n")
endfunction()

# tetrarch_use_mlir(<target>) : MLIR's headers and the shared libMLIR/libLLVM, for it and who links it.
function(tetrarch_use_mlir name)
  target_include_directories(${name} SYSTEM PUBLIC ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
  target_link_libraries(${name} PUBLIC MLIR LLVM)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_compile_options(${name} PUBLIC
      "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-include ${PROJECT_SOURCE_DIR}/cmake/before_mlir.h>")
  endif()
  set_target_properties(${name} PROPERTIES TETRARCH_USES_MLIR ON)
endfunction()

# tetrarch_reuse_mlir_headers(<target>) : compiles its files with the precompiled header. Named relative to the build
# folder, where Ninja compiles, so that the compiler cache sees the same words in every clone.
function(tetrarch_reuse_mlir_headers name)
  if(NOT TETRARCH_PRECOMPILES)
    return()
  endif()
  get_target_property(sources ${name} SOURCES)
  set_property(SOURCE ${sources} APPEND PROPERTY
    OBJECT_DEPENDS "${PROJECT_BINARY_DIR}/CMakeFiles/tetrarch_mlir_headers.dir/cmake_pch.hxx.pch")
  target_compile_options(${name} PRIVATE
    "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-include-pch CMakeFiles/tetrarch_mlir_headers.dir/cmake_pch.hxx.pch>"
    -fPIC)  # programs too: as the header was compiled
endfunction()

# tetrarch_reuse_if_mlir(<target> <dependency> ...) : the same when a dependency includes MLIR.
function(tetrarch_reuse_if_mlir name)
  foreach(dependency ${ARGN})
    if(TARGET ${dependency})
      get_target_property(uses_mlir ${dependency} TETRARCH_USES_MLIR)
      if(uses_mlir)
        tetrarch_reuse_mlir_headers(${name})
        return()
      endif()
    endif()
  endforeach()
endfunction()
