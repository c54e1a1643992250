# What the gRPC channel stands on: nghttp2 for the worker's side, gRPC for the engine's, without its
# transport security, which a channel inside of one machine has no use for, and protobuf for both:
# GrpcUnsecure::grpc++. Found by pkg-config, since the package's own CMake files ask for everything
# that gRPC could ever need.
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(GrpcUnsecure QUIET IMPORTED_TARGET grpc++_unsecure libnghttp2 protobuf)
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(GrpcUnsecure REQUIRED_VARS GrpcUnsecure_grpc++_unsecure_LIBDIR
                                                GrpcUnsecure_LINK_LIBRARIES
                                  VERSION_VAR GrpcUnsecure_grpc++_unsecure_VERSION)
if(GrpcUnsecure_FOUND AND NOT TARGET GrpcUnsecure::grpc++)
  add_library(GrpcUnsecure::grpc++ INTERFACE IMPORTED)
  target_link_libraries(GrpcUnsecure::grpc++ INTERFACE PkgConfig::GrpcUnsecure)
endif()
