# libuv, from the source distribution of uvloop, which carries it.
# The extension sees only its headers: the functions are those of the libuv that
# owns the loop, looked up at run time. C++ tests and programs link a copy.
set(UVLOOP_VERSION 0.23.0)
set(UVLOOP_SHA256 28d160f51ab4da3b187063652e643dea6831072add4adc1e6d62afbe73b6be27)

function(uvgrpc_add_libuv_headers)
  add_library(uv_headers INTERFACE)
  target_include_directories(uv_headers SYSTEM INTERFACE "${UVLOOP_SOURCE_DIR}/vendor/libuv/include")
  add_library(libuv::headers ALIAS uv_headers)
endfunction()

function(uvgrpc_add_libuv_static)
  if(TARGET libuv::static)
    return()
  endif()
  set(BUILD_TESTING OFF)
  set(LIBUV_BUILD_SHARED OFF)
  add_subdirectory("${UVLOOP_SOURCE_DIR}/vendor/libuv" "${PROJECT_BINARY_DIR}/libuv" EXCLUDE_FROM_ALL SYSTEM)
  target_compile_options(uv_a PRIVATE -w ${UVGRPC_SANITIZER_OPTIONS})
  add_library(libuv::static ALIAS uv_a)
endfunction()

# uvgrpc_choose_libuv(): uvgrpc::libuv, which C++ programs with the engine link, is the
# target that UVGRPC_LIBUV names, or our copy.
function(uvgrpc_choose_libuv)
  add_library(uvgrpc_libuv INTERFACE)
  if(UVGRPC_LIBUV)
    target_link_libraries(uvgrpc_libuv INTERFACE "${UVGRPC_LIBUV}")
  else()
    uvgrpc_add_libuv_static()
    target_link_libraries(uvgrpc_libuv INTERFACE libuv::static)
  endif()
  add_library(uvgrpc::libuv ALIAS uvgrpc_libuv)
endfunction()
