# Headers of other projects, precompiled once for all files that include them: parsing them is most of what compiling
# such a file costs. cmake/pch.h for the light half, cmake/mlir_pch.h for the compiler half. With clang and Ninja, as the
# presets have it; elsewhere each file parses them itself.

set(TETRARCH_PRECOMPILES OFF)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_GENERATOR STREQUAL "Ninja")
  set(TETRARCH_PRECOMPILES ON)
endif()

# tetrarch_precompile(<name> LIBRARIES <targets> VERSIONS <texts>)
# The target tetrarch_<name>, which owns what cmake/<name>.h compiles to. The texts change when a header of the
# libraries does.
function(tetrarch_precompile name)
  cmake_parse_arguments(ARG "" "" "LIBRARIES;VERSIONS" ${ARGN})
  set(target tetrarch_${name})
  add_library(${target} OBJECT "${PROJECT_SOURCE_DIR}/cmake/pch.cpp")
  target_link_libraries(${target} PRIVATE ${ARG_LIBRARIES})
  if(NOT TETRARCH_PRECOMPILES)
    return()
  endif()
  target_precompile_headers(${target} PRIVATE "${PROJECT_SOURCE_DIR}/cmake/${name}.h")
  # The result names files of this clone, so the compiler cache must not hand out another clone's; but what is
  # compiled with it may be shared: for that the cache takes this sum instead of the result's content.
  set_target_properties(${target} PROPERTIES CXX_COMPILER_LAUNCHER "")
  set(sum "")
  file(GLOB headers "${PROJECT_SOURCE_DIR}/cmake/*.h")
  foreach(header IN LISTS headers)
    file(SHA256 "${header}" hash)
    string(APPEND sum "${hash} ")
  endforeach()
  file(GENERATE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${target}.dir/cmake_pch.hxx.pch.sum"
    CONTENT "${sum}${CMAKE_CXX_COMPILER_VERSION} ${ARG_VERSIONS}\n")
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

# tetrarch_reuse_headers(<target> <dependency> ...) : compiles the target's files with the precompiled headers of its
# half: the compiler's when it, or a dependency made before it, uses MLIR. Named relative to the build folder, where
# Ninja compiles, so that the compiler cache sees the same words in every clone.
function(tetrarch_reuse_headers name)
  if(NOT TETRARCH_PRECOMPILES)
    return()
  endif()
  set(precompiled tetrarch_pch)
  foreach(candidate ${name} ${ARGN})
    if(TARGET ${candidate})
      get_target_property(uses_mlir ${candidate} TETRARCH_USES_MLIR)
      if(uses_mlir)
        set(precompiled tetrarch_mlir_pch)
      endif()
    endif()
  endforeach()
  set(file "CMakeFiles/${precompiled}.dir/cmake_pch.hxx.pch")
  get_target_property(sources ${name} SOURCES)
  set_property(SOURCE ${sources} APPEND PROPERTY OBJECT_DEPENDS "${PROJECT_BINARY_DIR}/${file}")
  target_compile_options(${name} PRIVATE
    "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-include-pch ${file}>"
    -fPIC)  # programs too: as the headers were compiled
endfunction()
