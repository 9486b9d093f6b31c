# Makes a model of RTL by Verilator, or takes it from the cache: what comes out follows from the tool, its options and the
# text of the sources, and lies under a hash of these, where every clone finds it. Run in the folder of the sources:
#
#   cmake -DROOT=<of Verilator> -DOPTIONS=<list> -DSOURCES=<list> [-DINCLUDED=<list>] [-DCACHE=<folder>]
#     -DFOLDER=<of the model> -P Verilate.cmake
cmake_minimum_required(VERSION 3.25)

set(unused_days 30) # after which a model leaves the cache

# Runs Verilator, and writes all.cpp, which includes every file that it made: one known name.
function(verilate folder)
  file(MAKE_DIRECTORY "${folder}")
  execute_process(COMMAND "${CMAKE_COMMAND}" -E env "VERILATOR_ROOT=${ROOT}" "${ROOT}/bin/verilator_bin" ${OPTIONS}
      -Mdir "${folder}" -I. ${SOURCES} RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    file(REMOVE_RECURSE "${folder}")
    message(FATAL_ERROR "Verilator failed: ${status}")
  endif()
  file(GLOB others "${folder}/*.mk" "${folder}/*.d" "${folder}/*.dat") # they hold paths, and nothing reads them
  file(REMOVE ${others})
  file(GLOB made RELATIVE "${folder}" "${folder}/*.cpp")
  list(SORT made)
  list(TRANSFORM made REPLACE "(.+)" "#include \"\\1\"\n")
  list(JOIN made "" text)
  file(WRITE "${folder}/all.cpp" "${text}")
endfunction()

function(hash_of_all variable)
  file(SHA256 "${ROOT}/bin/verilator_bin" tool)
  file(SHA256 "${CMAKE_CURRENT_FUNCTION_LIST_FILE}" script)
  set(text "${tool} ${script} ${OPTIONS}")
  foreach(source IN LISTS SOURCES INCLUDED)
    cmake_path(GET source FILENAME name)
    file(SHA256 "${source}" hash)
    string(APPEND text "\n${name} ${hash}")
  endforeach()
  string(SHA256 hash "${text}")
  set(${variable} ${hash} PARENT_SCOPE)
endfunction()

function(remove_unused)
  string(TIMESTAMP now "%s" UTC)
  file(GLOB entries "${CACHE}/*")
  foreach(entry IN LISTS entries)
    file(TIMESTAMP "${entry}" used "%s" UTC)
    math(EXPR days "(${now} - ${used}) / 86400")
    if(days GREATER unused_days)
      file(REMOVE_RECURSE "${entry}")
    endif()
  endforeach()
endfunction()

# A folder that is whole comes under its name at once: of two that make the same model, the later finds it there.
function(find_or_make entry)
  if(NOT IS_DIRECTORY "${entry}")
    remove_unused()
    string(RANDOM LENGTH 12 suffix)
    set(unfinished "${entry}.${suffix}")
    verilate("${unfinished}")
    file(RENAME "${unfinished}" "${entry}" RESULT moved) # fails where a whole one is
    if(NOT moved EQUAL 0)
      file(REMOVE_RECURSE "${unfinished}")
    endif()
  endif()
  file(TOUCH_NOCREATE "${entry}")
endfunction()

file(REMOVE_RECURSE "${FOLDER}")
if(CACHE)
  execute_process(COMMAND "${CMAKE_COMMAND}" -E make_directory "${CACHE}" RESULT_VARIABLE status ERROR_QUIET)
endif()
if(NOT status EQUAL 0) # no cache, or no place for one
  verilate("${FOLDER}")
  return()
endif()
hash_of_all(hash)
find_or_make("${CACHE}/${hash}")
file(COPY "${CACHE}/${hash}/" DESTINATION "${FOLDER}")
# What is copied is as old as in the cache; a build must see that it has changed.
file(GLOB copied "${FOLDER}/*")
file(TOUCH ${copied})
