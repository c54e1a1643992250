# How tests are declared. Every test has one label and its own timeout.
include(GoogleTest)

# What a test may want to know about this build, as environment variables.
set(FOREBAY_TEST_ENVIRONMENT "FOREBAY_SOURCE_DIR=${PROJECT_SOURCE_DIR}")
if(EXISTS "${PROJECT_SOURCE_DIR}/.venv/bin/python")
  set(FOREBAY_PYTHON "${PROJECT_SOURCE_DIR}/.venv/bin/python")
else()
  find_program(FOREBAY_PYTHON python3)
endif()
if(FOREBAY_PYTHON)
  list(APPEND FOREBAY_TEST_ENVIRONMENT "FOREBAY_PYTHON=${FOREBAY_PYTHON}")
endif()
if(FOREBAY_SANITIZE MATCHES "thread")
  list(APPEND FOREBAY_TEST_ENVIRONMENT "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1")
elseif(FOREBAY_SANITIZE)
  list(APPEND FOREBAY_TEST_ENVIRONMENT "UBSAN_OPTIONS=print_stacktrace=1")
endif()

# Builds the sources of one folder into one GoogleTest program, where there are any and the
# libraries are part of this build. Each of its tests becomes a test of ctest.
#   forebay_add_gtest(<target> DIR <folder> LABEL <label> LIBRARIES <lib>... [TIMEOUT <seconds>])
function(forebay_add_gtest target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "DIR;LABEL;TIMEOUT" "LIBRARIES")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  file(GLOB sources CONFIGURE_DEPENDS "${arg_DIR}/*.cpp")
  if(CMAKE_CROSSCOMPILING)
    # RapidCheck has no sources in Debian's package.
    foreach(source IN LISTS sources)
      file(STRINGS "${source}" includes REGEX "^#include .rapidcheck")
      if(includes)
        list(REMOVE_ITEM sources "${source}")
      endif()
    endforeach()
    list(FILTER arg_LIBRARIES EXCLUDE REGEX "^rapidcheck")
  endif()
  if(NOT sources)
    return()
  endif()
  foreach(library IN LISTS arg_LIBRARIES)
    if(library MATCHES "^forebay::" AND NOT TARGET ${library})
      message(STATUS "${target} is left out: this build has no ${library}")
      return()
    endif()
  endforeach()
  if(NOT CMAKE_CROSSCOMPILING)
    find_package(GTest REQUIRED)
  elseif(NOT TARGET GTest::gtest_main)
    # Debian has the library for its own machine only, and its sources for every other.
    set(INSTALL_GTEST OFF)
    add_subdirectory(/usr/src/googletest "${PROJECT_BINARY_DIR}/googletest" EXCLUDE_FROM_ALL SYSTEM)
  endif()
  add_executable(${target} ${sources})
  forebay_warnings(${target})
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES} GTest::gtest_main)
  # Names are unique in the whole build, so that results can be told apart.
  gtest_discover_tests(
    ${target}
    TEST_PREFIX "${target}."
    DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS "${arg_LABEL}" TIMEOUT ${arg_TIMEOUT})
  # A property that is a list cannot pass through gtest_discover_tests(); ctest reads this after it.
  set(environment_file "${CMAKE_CURRENT_BINARY_DIR}/${target}_environment.cmake")
  file(WRITE "${environment_file}"
       "if(${target}_TESTS)\n"
       "  set_tests_properties(\${${target}_TESTS} PROPERTIES "
       "ENVIRONMENT [==[${FOREBAY_TEST_ENVIRONMENT}]==])\n"
       "endif()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${environment_file}")
endfunction()

# Adds one test that is a command:
#   forebay_add_command_test(<name> LABEL <label> TIMEOUT <seconds> COMMAND <word>...
#                            [CONFIGURATIONS <name>...])
function(forebay_add_command_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL;TIMEOUT" "COMMAND;CONFIGURATIONS")
  add_test(NAME ${name} COMMAND ${arg_COMMAND} CONFIGURATIONS ${arg_CONFIGURATIONS})
  set_tests_properties(
    ${name} PROPERTIES LABELS "${arg_LABEL}" TIMEOUT ${arg_TIMEOUT}
                       ENVIRONMENT "${FOREBAY_TEST_ENVIRONMENT}")
endfunction()
