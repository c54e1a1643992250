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

# Finds GoogleTest for the calling folder and those below it.
macro(forebay_find_gtest)
  if(NOT CMAKE_CROSSCOMPILING)
    find_package(GTest REQUIRED)
  elseif(NOT TARGET GTest::gtest_main)
    # Debian has the library for its own machine only, and its sources for every other.
    set(INSTALL_GTEST OFF)
    add_subdirectory(/usr/src/googletest "${PROJECT_BINARY_DIR}/googletest" EXCLUDE_FROM_ALL SYSTEM)
  endif()
endmacro()

# What objects of tests are compiled with, all of them the same, since they share what is precompiled.
function(forebay_test_options target)
  forebay_warnings(${target})
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  if(FOREBAY_SANITIZE MATCHES "undefined")
    # The checks see no less without optimization, and the compiler needs half the time.
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

# Objects that several test programs have in common, and a header that those precompile.
#   forebay_add_test_objects(<target> HEADER <file> LIBRARIES <lib>... SOURCES <file>...)
function(forebay_add_test_objects target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "HEADER" "LIBRARIES;SOURCES")
  add_library(${target} OBJECT ${arg_SOURCES})
  forebay_test_options(${target})
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES} GTest::gtest)
  target_precompile_headers(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests/${arg_HEADER}")
endfunction()

# Builds the sources of one folder into one GoogleTest program, where there are any and the
# libraries are part of this build. Each of its tests becomes a test of ctest. The program precompiles
# what the objects that PRECOMPILED names do: hang_guard, or arrow_support for one with Arrow in it.
#   forebay_add_gtest(<target> DIR <folder> LABEL <label> LIBRARIES <lib>... [TIMEOUT <seconds>]
#                     [PRECOMPILED <objects>])
function(forebay_add_gtest target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "DIR;LABEL;TIMEOUT;PRECOMPILED" "LIBRARIES")
  if(NOT arg_PRECOMPILED)
    set(arg_PRECOMPILED hang_guard)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  file(GLOB sources CONFIGURE_DEPENDS "${arg_DIR}/*.cpp")
  if(TARGET ${arg_PRECOMPILED})
    get_target_property(shared ${arg_PRECOMPILED} SOURCES)
    list(REMOVE_ITEM sources ${shared})
  endif()
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
  add_executable(${target} ${sources})
  forebay_test_options(${target})
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES} GTest::gtest_main)
  target_precompile_headers(${target} REUSE_FROM ${arg_PRECOMPILED})
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
