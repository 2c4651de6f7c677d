# UVGRPC_GLIBC_SYSROOT: a folder with an older C library than the compiler's own, to link the extension
# against (cmake/wheels/sysroot.py makes one). What it is compiled with stays the machine's, and so
# does the core, which is not built again. The C++ library is linked in: the older system has an older one.
set(UVGRPC_GLIBC_SYSROOT "" CACHE PATH "an older C library to link the extension against")

function(uvgrpc_for_old_glibc target)
  if(NOT UVGRPC_GLIBC_SYSROOT)
    return()
  endif()
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    message(FATAL_ERROR "UVGRPC_GLIBC_SYSROOT is for GCC")
  endif()
  target_sources(${target} PRIVATE "${PROJECT_SOURCE_DIR}/cmake/wheels/old_glibc.c")
  # Named, because GCC looks into the folders of its own system before it does so into these.
  target_link_options(${target} PRIVATE "--sysroot=${UVGRPC_GLIBC_SYSROOT}" -static-libstdc++
    "-L${UVGRPC_GLIBC_SYSROOT}/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}" "-L${UVGRPC_GLIBC_SYSROOT}/lib/${CMAKE_LIBRARY_ARCHITECTURE}"
    -Wl,--wrap=pow -Wl,--wrap=log2)
  target_link_libraries(${target} PRIVATE pthread dl m)
endfunction()
