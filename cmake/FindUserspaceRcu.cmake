# Finds liburcu, flavours memb, qsbr and bp: UserspaceRcu::UserspaceRcu.
find_path(UserspaceRcu_INCLUDE_DIR NAMES urcu/urcu-memb.h)
foreach(_flavour IN ITEMS memb qsbr bp)
  find_library(UserspaceRcu_${_flavour}_LIBRARY NAMES urcu-${_flavour})
  mark_as_advanced(UserspaceRcu_${_flavour}_LIBRARY)
endforeach()
mark_as_advanced(UserspaceRcu_INCLUDE_DIR)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  UserspaceRcu REQUIRED_VARS UserspaceRcu_INCLUDE_DIR UserspaceRcu_memb_LIBRARY
                             UserspaceRcu_qsbr_LIBRARY UserspaceRcu_bp_LIBRARY)
if(UserspaceRcu_FOUND AND NOT TARGET UserspaceRcu::UserspaceRcu)
  add_library(UserspaceRcu::UserspaceRcu INTERFACE IMPORTED)
  set_target_properties(
    UserspaceRcu::UserspaceRcu
    PROPERTIES
      INTERFACE_INCLUDE_DIRECTORIES "${UserspaceRcu_INCLUDE_DIR}"
      INTERFACE_LINK_LIBRARIES
      "${UserspaceRcu_memb_LIBRARY};${UserspaceRcu_qsbr_LIBRARY};${UserspaceRcu_bp_LIBRARY}")
endif()
