# gRPC's core with all it bundles, from the grpcio source distribution.
# build.py (cmake/core) takes these pins; the rest makes the target grpc::core.
set(GRPC_VERSION 1.85.1)
set(GRPC_SHA256 5f530287d5de5f7f66089ead81de44f6787162944dab3922efa65dfdff108a1d)

function(uvgrpc_add_grpc)
  include("${PROJECT_SOURCE_DIR}/cmake/core/usage.cmake")
  find_package(Threads REQUIRED)
  add_library(grpc_vendor STATIC IMPORTED)
  set_target_properties(grpc_vendor PROPERTIES IMPORTED_LOCATION "${GRPC_VENDOR_LIBRARY}")
  add_library(grpc_core STATIC IMPORTED)
  # Imported, so their headers are system headers: our warnings stay ours.
  set_target_properties(grpc_core PROPERTIES
    IMPORTED_LOCATION "${GRPC_CORE_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${GRPC_CORE_INCLUDES}"
    INTERFACE_COMPILE_DEFINITIONS "${GRPC_CORE_DEFINITIONS}")
  # Left-out parts of the core are referred to by functions nobody calls, which
  # only section collection removes.
  target_link_libraries(grpc_core INTERFACE grpc_vendor uvgrpc_memory Threads::Threads ${CMAKE_DL_LIBS})
  target_link_options(grpc_core INTERFACE $<IF:$<PLATFORM_ID:Darwin>,-Wl$<COMMA>-dead_strip,-Wl$<COMMA>--gc-sections>)
  add_library(grpc::core ALIAS grpc_core)
  if(GRPC_ENGINE_LIBRARY)
    # Core and its own engine need each other.
    add_library(grpc_core_with_engine INTERFACE)
    target_link_libraries(grpc_core_with_engine INTERFACE
      grpc_core "${GRPC_ENGINE_LIBRARY}" "${GRPC_CORE_LIBRARY}" grpc_vendor)
    add_library(grpc::core_with_engine ALIAS grpc_core_with_engine)
  endif()
endfunction()
