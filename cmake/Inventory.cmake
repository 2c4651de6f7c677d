# What a wheel says of what is linked into it: texts of licences in dist-info/licenses/linked, and a
# list (CycloneDX) in dist-info/sboms. SKBUILD_METADATA_DIR is scikit-build-core's.
function(uvgrpc_install_inventory)
  if(NOT SKBUILD_METADATA_DIR)
    return()
  endif()
  set(folder "${CMAKE_BINARY_DIR}/inventory")
  set(command "${Python3_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/cmake/inventory.py" "${folder}"
    --grpc "${GRPC_VERSION}" "${GRPC_SHA256}" "${GRPC_SOURCE_DIR}" --version "${SKBUILD_PROJECT_VERSION_FULL}")
  if(UVGRPC_GLIBC_SYSROOT)
    list(APPEND command --libstdcxx "${CMAKE_CXX_COMPILER_VERSION}")
  endif()
  execute_process(COMMAND ${command} COMMAND_ERROR_IS_FATAL ANY)
  install(DIRECTORY "${folder}/licenses" "${folder}/sboms" DESTINATION "${SKBUILD_METADATA_DIR}")
endfunction()
