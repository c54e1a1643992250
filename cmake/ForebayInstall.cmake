# Installs the CMake package Forebay and one pkg-config file per component.
#
# Each component has its own targets file, so that a program that asks for `core` needs nothing that
# only `arrow` needs. Nothing installed carries an absolute path.
include(CMakePackageConfigHelpers)

set(_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/Forebay")
set(_pkgconfig_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
set(_work_dir "${PROJECT_BINARY_DIR}/package")

# From the pkg-config files up to the prefix; an absolute libdir fixes the prefix instead.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
  set(PC_LIBDIR "${CMAKE_INSTALL_LIBDIR}")
else()
  file(RELATIVE_PATH _up "/${_pkgconfig_dir}" "/")
  string(REGEX REPLACE "/$" "" _up "${_up}")
  set(PC_PREFIX "\${pcfiledir}/${_up}")
  set(PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
if(IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(PC_INCLUDEDIR "${CMAKE_INSTALL_INCLUDEDIR}")
else()
  set(PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()

# Writes forebay-<component>.pc. VARIABLES are lines above the header, the rest are its fields.
function(forebay_install_pkgconfig component)
  cmake_parse_arguments(PARSE_ARGV 1 arg ""
                        "DESCRIPTION;VARIABLES;REQUIRES;CFLAGS;LIBS;LIBS_PRIVATE" "")
  foreach(field IN ITEMS DESCRIPTION VARIABLES REQUIRES CFLAGS LIBS LIBS_PRIVATE)
    set(PC_${field} "${arg_${field}}")
  endforeach()
  set(PC_COMPONENT ${component})
  set(file "${PROJECT_BINARY_DIR}/package/forebay-${component}.pc")
  configure_file("${PROJECT_SOURCE_DIR}/packaging/forebay.pc.in" "${file}" @ONLY)
  install(FILES "${file}" DESTINATION "${_pkgconfig_dir}" COMPONENT ${component})
endfunction()

set(_components "")
foreach(_component IN ITEMS core socket arrow spark grpc udf)
  if(NOT TARGET forebay_${_component})
    continue()
  endif()
  list(APPEND _components ${_component})
  install(
    TARGETS forebay_${_component}
    EXPORT Forebay-${_component}
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT ${_component}
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT ${_component}
    RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT ${_component})
  install(
    EXPORT Forebay-${_component}
    NAMESPACE forebay::
    FILE Forebay-${_component}-targets.cmake
    DESTINATION "${_package_dir}"
    COMPONENT ${_component})
  if(NOT _component STREQUAL "core")
    install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/forebay/${_component}"
            DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/forebay" COMPONENT ${_component})
  endif()
endforeach()

# The core's headers: the folder's own, and the private ones that they include.
install(
  DIRECTORY "${PROJECT_SOURCE_DIR}/include/forebay/"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/forebay"
  COMPONENT core
  REGEX "/forebay/(socket|arrow|spark|grpc|udf)$" EXCLUDE)

configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/ForebayConfig.cmake.in" "${_work_dir}/ForebayConfig.cmake"
  INSTALL_DESTINATION "${_package_dir}" NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(
  "${_work_dir}/ForebayConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${_work_dir}/ForebayConfig.cmake" "${_work_dir}/ForebayConfigVersion.cmake"
        DESTINATION "${_package_dir}" COMPONENT core)

set(_hardened "")
if(FOREBAY_HARDENED)
  set(_hardened "-DFOREBAY_HARDENED=1")
endif()
forebay_install_pkgconfig(
  core
  DESCRIPTION "Zero-copy byte streams"
  CFLAGS "${_hardened}"
  LIBS_PRIVATE "-pthread")
if(TARGET forebay_socket)
  forebay_install_pkgconfig(
    socket
    DESCRIPTION "Receivers that fill Forebay streams from sockets"
    REQUIRES "forebay-core = ${PROJECT_VERSION}")
endif()
if(TARGET forebay_arrow)
  install(FILES "${PROJECT_SOURCE_DIR}/cmake/FindArrow.cmake"
          DESTINATION "${_package_dir}" COMPONENT arrow)
  set(_requires "forebay-core = ${PROJECT_VERSION}")
  if(Arrow_FROM_WHEEL)
    # The wheel has no pkg-config file and no fixed place; whoever asks says where it is:
    # pkg-config --define-variable=arrow_root="$Arrow_ROOT" ...
    forebay_install_pkgconfig(
      arrow
      DESCRIPTION "Arrow record batches read from Forebay streams"
      VARIABLES "arrow_root=/set/arrow_root/to/the/pyarrow/folder"
      REQUIRES "${_requires}"
      CFLAGS "-isystem \${arrow_root}/include"
      LIBS "-L\${arrow_root} -l:libarrow.so.${Arrow_SO_VERSION}")
  else()
    forebay_install_pkgconfig(
      arrow
      DESCRIPTION "Arrow record batches read from Forebay streams"
      REQUIRES "${_requires}, arrow")
  endif()
endif()
if(TARGET forebay_spark)
  forebay_install_pkgconfig(
    spark
    DESCRIPTION "Spark's worker channel"
    REQUIRES "forebay-socket = ${PROJECT_VERSION}")
endif()
if(TARGET forebay_grpc)
  install(FILES "${PROJECT_SOURCE_DIR}/cmake/FindGrpcUnsecure.cmake"
          DESTINATION "${_package_dir}" COMPONENT grpc)
  forebay_install_pkgconfig(
    grpc
    DESCRIPTION "Spark's gRPC worker channel"
    REQUIRES "forebay-socket = ${PROJECT_VERSION}, grpc++_unsecure, libnghttp2, protobuf")
endif()
if(TARGET forebay_udf_grpc)
  install(TARGETS forebay_udf_grpc LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT grpc)
endif()
if(TARGET forebay_udf)
  forebay_install_pkgconfig(
    udf
    DESCRIPTION "C++ functions for Spark"
    REQUIRES "forebay-spark = ${PROJECT_VERSION}, forebay-arrow = ${PROJECT_VERSION}, tbb, spdlog"
    LIBS_PRIVATE "-ldl")
endif()
