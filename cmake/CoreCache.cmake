# uvgrpc_core_cache(FLAGS): fetches the pinned sources and builds the gRPC core
# where the per-user cache lacks it (cmake/core/build.py says how and where), then
# sets GRPC_SOURCE_DIR, GRPC_CORE_LIBRARY, GRPC_VENDOR_LIBRARY, UVLOOP_SOURCE_DIR
# and, with UVGRPC_BENCH_FLOOR, GRPC_ENGINE_LIBRARY.
include("${CMAKE_CURRENT_LIST_DIR}/../third_party/grpc.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/../third_party/libuv.cmake")

set(UVGRPC_CORE_BUILDER_DIR "${CMAKE_CURRENT_LIST_DIR}/core")

macro(uvgrpc_core_cache flags)
  if(NOT Python3_EXECUTABLE)
    find_program(Python3_EXECUTABLE python3 REQUIRED)
  endif()
  set(uvgrpc_core_command "${Python3_EXECUTABLE}" "${UVGRPC_CORE_BUILDER_DIR}/build.py"
    --grpc ${GRPC_VERSION} ${GRPC_SHA256} --uvloop ${UVLOOP_VERSION} ${UVLOOP_SHA256} "--flags=${flags}")
  if(UVGRPC_PROFILE STREQUAL "use")
    list(APPEND uvgrpc_core_command --profile)
  endif()
  if(UVGRPC_BENCH_FLOOR)
    list(APPEND uvgrpc_core_command --grpc-engine)
  endif()
  # A script (build_core.cmake) only wants the core to be there.
  if(NOT CMAKE_SCRIPT_MODE_FILE)
    list(APPEND uvgrpc_core_command --output "${CMAKE_BINARY_DIR}/core_cache.cmake"
      --cc "${CMAKE_C_COMPILER}" --cxx "${CMAKE_CXX_COMPILER}")
  endif()
  execute_process(COMMAND ${uvgrpc_core_command} COMMAND_ERROR_IS_FATAL ANY)
  if(NOT CMAKE_SCRIPT_MODE_FILE)
    include("${CMAKE_BINARY_DIR}/core_cache.cmake")
    # A change of what decides over the core leads to another core.
    file(GLOB uvgrpc_core_deciders "${UVGRPC_CORE_BUILDER_DIR}/*" "${UVGRPC_CORE_BUILDER_DIR}/profiles/*")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${uvgrpc_core_deciders})
  endif()
endmacro()
