# `cmake --install`: the engine with its core, headers and libuv, for find_package(uvgrpc_engine).
# A build with the extension installs that alone: it is pip's.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(headers "${CMAKE_INSTALL_INCLUDEDIR}/uvgrpc_engine")
set(libraries "${CMAKE_INSTALL_LIBDIR}/uvgrpc_engine")
set(package "${CMAKE_INSTALL_LIBDIR}/cmake/uvgrpc_engine")

# The folders are the package's own: another gRPC or libuv may be in the same prefix.
install(DIRECTORY "${PROJECT_SOURCE_DIR}/src/engine/include/" DESTINATION "${headers}")
install(DIRECTORY "${GRPC_SOURCE_DIR}/include/grpc" DESTINATION "${headers}" FILES_MATCHING PATTERN "*.h")
install(FILES "$<TARGET_FILE:uvgrpc_engine>" "$<TARGET_FILE:uvgrpc_memory>"
  "${GRPC_CORE_LIBRARY}" "${GRPC_VENDOR_LIBRARY}" DESTINATION "${libraries}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/NOTICE"
  DESTINATION "${CMAKE_INSTALL_DATADIR}/uvgrpc_engine")
install(DIRECTORY "${UVLOOP_SOURCE_DIR}/vendor/libuv/include/" DESTINATION "${headers}/libuv" FILES_MATCHING PATTERN "*.h")
install(FILES "$<TARGET_FILE:uv_a>" DESTINATION "${libraries}")
add_dependencies(uvgrpc_engine uv_a)

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/uvgrpc_engineConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/uvgrpc_engineConfig.cmake"
  INSTALL_DESTINATION "${package}" PATH_VARS headers libraries NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/uvgrpc_engineConfigVersion.cmake"
  VERSION "${PROJECT_VERSION}" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/uvgrpc_engineConfig.cmake" "${PROJECT_BINARY_DIR}/uvgrpc_engineConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/EngineChecks.cmake" DESTINATION "${package}")
