# Finds Arrow C++ and defines the target Arrow::arrow_shared.
#
# First choice is an installed Arrow with its own CMake package. Else the pyarrow wheel is taken,
# which carries the headers and libarrow.so.NNNN but no CMake package. Arrow_ROOT (a CMake or an
# environment variable) names the wheel's folder (.../site-packages/pyarrow), or the virtual
# environment that holds it. After the wheel was taken, Arrow_FROM_WHEEL is true and
# Arrow_WHEEL_DIR is the wheel's folder.
include(FindPackageHandleStandardArgs)

set(Arrow_FROM_WHEEL FALSE)
if(NOT TARGET Arrow::arrow_shared)
  # CONFIG mode does not come back to this module.
  find_package(Arrow CONFIG QUIET)
endif()

if(NOT TARGET Arrow::arrow_shared)
  set(_arrow_candidates "")
  foreach(_arrow_root IN ITEMS "${Arrow_ROOT}" "$ENV{Arrow_ROOT}")
    if(_arrow_root)
      file(GLOB _arrow_wheels "${_arrow_root}/lib/python3*/site-packages/pyarrow")
      list(APPEND _arrow_candidates "${_arrow_root}" ${_arrow_wheels})
    endif()
  endforeach()
  foreach(_arrow_dir IN LISTS _arrow_candidates)
    set(_arrow_config "${_arrow_dir}/include/arrow/util/config.h")
    if(EXISTS "${_arrow_config}")
      file(STRINGS "${_arrow_config}" _arrow_lines REGEX "define ARROW_(VERSION_STRING|SO_VERSION)")
      string(REGEX MATCH "ARROW_VERSION_STRING \"([^\"]*)\"" _arrow_match "${_arrow_lines}")
      set(Arrow_VERSION "${CMAKE_MATCH_1}")
      string(REGEX MATCH "ARROW_SO_VERSION \"([^\"]*)\"" _arrow_match "${_arrow_lines}")
      set(Arrow_SO_VERSION "${CMAKE_MATCH_1}")
      set(_arrow_library "${_arrow_dir}/libarrow.so.${Arrow_SO_VERSION}")
      if(EXISTS "${_arrow_library}")
        set(Arrow_FROM_WHEEL TRUE)
        set(Arrow_WHEEL_DIR "${_arrow_dir}")
        add_library(Arrow::arrow_shared SHARED IMPORTED)
        set_target_properties(
          Arrow::arrow_shared
          PROPERTIES IMPORTED_LOCATION "${_arrow_library}"
                     IMPORTED_SONAME "libarrow.so.${Arrow_SO_VERSION}"
                     INTERFACE_INCLUDE_DIRECTORIES "${_arrow_dir}/include")
        break()
      endif()
    endif()
  endforeach()
endif()

if(TARGET Arrow::arrow_shared)
  set(Arrow_TARGET Arrow::arrow_shared)
endif()
find_package_handle_standard_args(
  Arrow
  REQUIRED_VARS Arrow_TARGET
  VERSION_VAR Arrow_VERSION
  REASON_FAILURE_MESSAGE
    "Install Arrow C++, or set Arrow_ROOT to the folder of a pyarrow wheel or its environment.")
