# GoogleTest, from the sources that Debian's package libgtest-dev installs: it is
# built with our flags, as its authors ask, so that sanitizers see it whole.
set(GOOGLETEST_MINIMUM 1.12.1)
set(GOOGLETEST_SOURCE_DIR /usr/src/googletest CACHE PATH "GoogleTest's source tree")

function(uvgrpc_add_googletest)
  set(lists "${GOOGLETEST_SOURCE_DIR}/CMakeLists.txt")
  if(NOT EXISTS "${lists}")
    message(FATAL_ERROR
      "C++ tests need the sources of GoogleTest ${GOOGLETEST_MINIMUM} or later, looked for in ${GOOGLETEST_SOURCE_DIR}: "
      "apt-get install libgtest-dev libgmock-dev, or set GOOGLETEST_SOURCE_DIR.")
  endif()
  file(STRINGS "${lists}" line REGEX "GOOGLETEST_VERSION +[0-9.]+" LIMIT_COUNT 1)
  string(REGEX MATCH "[0-9]+\\.[0-9.]+" version "${line}")
  if(version VERSION_LESS GOOGLETEST_MINIMUM)
    message(FATAL_ERROR "GoogleTest in ${GOOGLETEST_SOURCE_DIR} is ${version}, C++ tests need ${GOOGLETEST_MINIMUM} or later.")
  endif()
  set(INSTALL_GTEST OFF)
  set(BUILD_GMOCK ON)
  add_subdirectory("${GOOGLETEST_SOURCE_DIR}" "${CMAKE_BINARY_DIR}/googletest" EXCLUDE_FROM_ALL SYSTEM)
  foreach(target IN ITEMS gtest gmock gmock_main)
    target_compile_options(${target} PRIVATE -w ${UVGRPC_SANITIZER_OPTIONS})
    # As for libuv and gRPC: their headers must not raise our warnings.
    get_target_property(dirs ${target} INTERFACE_INCLUDE_DIRECTORIES)
    set_target_properties(${target} PROPERTIES INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${dirs}")
  endforeach()
endfunction()
