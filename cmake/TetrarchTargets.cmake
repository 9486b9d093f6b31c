# How each folder becomes a CMake target. A target sees only the headers and libraries of the folders that
# ARCHITECTURE.md's table allows it, so an include in the wrong direction does not link.

include(GNUInstallDirs)
include(PrecompiledHeaders)

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # What ccache needs to know of precompiled headers, see PrecompiledHeaders.cmake.
  set(launcher env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_PCH_EXTSUM=true ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()
find_program(LLD NAMES ld.lld-22)
if(LLD AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(--ld-path=${LLD})
endif()

add_compile_options(-Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers)
if(TETRARCH_SANITIZE)
  add_compile_options(-fsanitize=${TETRARCH_SANITIZE} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${TETRARCH_SANITIZE})
endif()
if(TETRARCH_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# What the two below have in common.
macro(add_folder_library name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SRCS})
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                                            $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}>)
  target_link_libraries(${name} PUBLIC ${ARG_DEPS})
endmacro()

# tetrarch_library(<name> SRCS <files> [DEPS <targets>])
# A static library from this folder; headers are included as "tetrarch/<folder>/<file>.h".
function(tetrarch_library name)
  add_folder_library(${name} ${ARGN})
  tetrarch_reuse_headers(${name})
endfunction()

# tetrarch_mlir_library(<name> SRCS <files> [DEPS <targets>])
# The same, for a folder of the compiler half: adds MLIR's headers and the shared libMLIR/libLLVM.
function(tetrarch_mlir_library name)
  add_folder_library(${name} ${ARGN})
  tetrarch_use_mlir(${name})
  tetrarch_reuse_headers(${name})
endfunction()

# tetrarch_plugin(<name> SRCS <files> [DEPS <targets>])
# A device plug-in: the shared library build/lib/tetrarch/devices/tetrarch_<name>.so, found at run time by folder.
function(tetrarch_plugin name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_library(tetrarch_device_${name} MODULE ${ARG_SRCS})
  set_target_properties(tetrarch_device_${name} PROPERTIES PREFIX "" OUTPUT_NAME "tetrarch_${name}"
    LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib/tetrarch/devices")
  target_link_libraries(tetrarch_device_${name} PRIVATE ${ARG_DEPS})
  tetrarch_reuse_headers(tetrarch_device_${name})
  install(TARGETS tetrarch_device_${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/tetrarch/devices)
endfunction()

# tetrarch_program(<name> SRCS <files> [DEPS <targets>]) : a program in build/bin.
function(tetrarch_program name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SRCS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  tetrarch_reuse_headers(${name} ${ARG_DEPS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
endfunction()

# tetrarch_test(<name> SRCS <files> [DEPS <targets>]) : a GoogleTest program, one ctest entry per file of tests.
function(tetrarch_test name)
  if(NOT TETRARCH_TESTS)
    return()
  endif()
  tetrarch_program(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE GTest::gtest GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  add_test(NAME ${name} COMMAND ${name})
endfunction()

# tetrarch_fuzzer(<name> SRCS <files> [DEPS <targets>]) : a libFuzzer program, built with TETRARCH_FUZZ; the target
# `fuzzers` builds all of them and only what they need.
add_custom_target(fuzzers)
function(tetrarch_fuzzer name)
  if(NOT TETRARCH_FUZZ)
    return()
  endif()
  tetrarch_program(${name} ${ARGN})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(fuzzers ${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fuzz")
endfunction()
