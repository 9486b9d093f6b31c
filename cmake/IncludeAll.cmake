# Write OUTPUT, which includes every .cpp file of FOLDER: one known file for a tool that chooses its own names.
file(GLOB sources RELATIVE "${FOLDER}" "${FOLDER}/*.cpp")
list(SORT sources)
set(text "")
foreach(source IN LISTS sources)
  string(APPEND text "#include \"${source}\"\n")
endforeach()
file(WRITE "${OUTPUT}" "${text}")
