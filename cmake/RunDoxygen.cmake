# cmake -DSOURCE_DIR=<checkout> -DOUTPUT_DIR=<folder> -P RunDoxygen.cmake
# Documents the public headers; a name without a description is an error.
find_program(doxygen doxygen REQUIRED)
file(MAKE_DIRECTORY "${OUTPUT_DIR}")
file(READ "${SOURCE_DIR}/docs/Doxyfile" doxyfile)
string(APPEND doxyfile "\nOUTPUT_DIRECTORY = \"${OUTPUT_DIR}\"\n")
file(WRITE "${OUTPUT_DIR}/Doxyfile" "${doxyfile}")
execute_process(
  COMMAND "${doxygen}" "${OUTPUT_DIR}/Doxyfile"
  WORKING_DIRECTORY "${SOURCE_DIR}"
  RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "Doxygen found names without a description, or other faults")
endif()
