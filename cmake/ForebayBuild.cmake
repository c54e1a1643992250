# What every target of this project shares: language level, warnings, sanitizers, ccache.
if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(FOREBAY_CCACHE ccache)
  mark_as_advanced(FOREBAY_CCACHE)
  if(FOREBAY_CCACHE)
    # What ccache asks for where headers are precompiled; no source names the time of its build. What
    # an object was made of is read from what the compiler says, not found by preprocessing it first.
    set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_DEPEND=1 CCACHE_SLOPPINESS=pch_defines,time_macros
                                    "${FOREBAY_CCACHE}")
  endif()
endif()

if(FOREBAY_SANITIZE)
  string(REPLACE "+" "," _sanitize "${FOREBAY_SANITIZE}")
  add_compile_options(-fsanitize=${_sanitize} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${_sanitize})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # What the sanitizers insert hides from gcc that a std::optional was set.
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
endif()

# The libraries, not only the fuzzers, must tell libFuzzer which branches they take. Who brings an
# engine of his own brings the flags for it too.
if(FOREBAY_BUILD_FUZZ AND NOT FOREBAY_FUZZING_ENGINE)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# ThreadSanitizer of gcc 12 and clang 14 cannot place its shadow when the kernel randomizes more
# address bits than they know of, so its programs start without randomization where that is
# allowed.
if(FOREBAY_SANITIZE MATCHES "thread")
  find_program(FOREBAY_SETARCH setarch)
  mark_as_advanced(FOREBAY_SETARCH)
  if(FOREBAY_SETARCH)
    execute_process(COMMAND "${FOREBAY_SETARCH}" -R true RESULT_VARIABLE _result
                    OUTPUT_QUIET ERROR_QUIET)
    if(_result EQUAL 0)
      set(CMAKE_CROSSCOMPILING_EMULATOR "${FOREBAY_SETARCH};-R")
    endif()
  endif()
endif()

# Our own code, tests included, builds with these; code of others is included as SYSTEM.
function(forebay_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
endfunction()

# A source of the calling folder that reads a command line and does nothing often: what CLI11 expands
# to takes several times as long to optimize, and to check for undefined behaviour, as to compile.
function(forebay_reads_options source)
  set(options -O0)
  if(FOREBAY_SANITIZE MATCHES "undefined")
    list(APPEND options -fno-sanitize=undefined)
  endif()
  set_source_files_properties("${source}" PROPERTIES COMPILE_OPTIONS "${options}")
endfunction()

# What is installed names no folder of this machine, not even in its debug information.
function(forebay_hide_paths target)
  if(NOT CMAKE_CXX_FLAGS MATCHES "-fprofile-instr-generate")
    target_compile_options(${target} PRIVATE "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=")
    if(Arrow_FROM_WHEEL)
      target_compile_options(${target} PRIVATE "-ffile-prefix-map=${Arrow_WHEEL_DIR}/=pyarrow/")
    endif()
  endif()
endfunction()

# forebay_add_library(<component> [PUBLIC <lib>...]) builds lib/<component>/*.cpp as
# forebay_<component>, alias forebay::<component>.
function(forebay_add_library component)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "PUBLIC")
  set(target forebay_${component})
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/lib/${component}/*.cpp")
  if(NOT sources)
    message(STATUS "forebay::${component} has no sources yet")
    return()
  endif()
  add_library(${target} ${sources})
  add_library(forebay::${component} ALIAS ${target})
  forebay_warnings(${target})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(
    ${target} PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
                     "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  target_link_libraries(${target} PUBLIC ${arg_PUBLIC})
  forebay_hide_paths(${target})
  set_target_properties(
    ${target}
    PROPERTIES EXPORT_NAME ${component}
               POSITION_INDEPENDENT_CODE ON
               VERSION ${PROJECT_VERSION}
               SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
endfunction()

# Links a program to the components and libraries whose headers its sources include, and sets
# <result> to FALSE, without a target, where one of them is not part of this build.
function(forebay_add_program target result)
  set(libraries forebay::core)
  set(missing "")
  foreach(source IN LISTS ARGN)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${source}")
    file(STRINGS "${source}" includes REGEX "^#include")
    if(includes MATCHES "forebay/socket")
      list(APPEND libraries forebay::socket)
    endif()
    if(includes MATCHES "forebay/spark")
      list(APPEND libraries forebay::spark)
    endif()
    if(includes MATCHES "forebay/grpc")
      list(APPEND libraries forebay::grpc)
    endif()
    if(includes MATCHES "[<\"](forebay/)?arrow/")
      list(APPEND libraries forebay::arrow)
    endif()
    if(includes MATCHES "<(oneapi/)?tbb/")
      if(CMAKE_CROSSCOMPILING)
        find_package(TBB QUIET)
      else()
        find_package(TBB REQUIRED)
      endif()
      list(APPEND libraries TBB::tbb)
    endif()
    if(includes MATCHES "urcu")
      find_package(UserspaceRcu REQUIRED)
      list(APPEND libraries UserspaceRcu::UserspaceRcu)
    endif()
    if(includes MATCHES "<absl/")
      find_package(absl REQUIRED)
      list(APPEND libraries absl::cord)
    endif()
    if(includes MATCHES "<google/protobuf/")
      # The module wants a compiler of .proto files; the library brings its own description.
      find_package(PkgConfig REQUIRED)
      pkg_check_modules(Protobuf REQUIRED IMPORTED_TARGET protobuf-lite)
      list(APPEND libraries PkgConfig::Protobuf)
    endif()
    if(includes MATCHES "<CLI/")
      find_package(CLI11 REQUIRED)
      list(APPEND libraries CLI11::CLI11)
    endif()
  endforeach()
  list(REMOVE_DUPLICATES libraries)
  foreach(library IN LISTS libraries)
    if(NOT TARGET ${library})
      list(APPEND missing ${library})
    endif()
  endforeach()
  if(missing)
    message(STATUS "${target} is left out: this build has no ${missing}")
    set(${result} FALSE PARENT_SCOPE)
    return()
  endif()
  add_executable(${target} ${ARGN})
  forebay_warnings(${target})
  target_link_libraries(${target} PRIVATE ${libraries})
  set(${result} TRUE PARENT_SCOPE)
endfunction()
