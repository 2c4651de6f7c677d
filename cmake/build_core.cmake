# cmake [-DUVGRPC_SANITIZE=address,undefined] -P cmake/build_core.cmake
#
# Fills the core cache with its progress visible, ahead of a `pip install` that
# would hide it. Uses $CC, $CXX and python3 (or -DPython3_EXECUTABLE=).
include("${CMAKE_CURRENT_LIST_DIR}/Sanitizers.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/Profile.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/CoreCache.cmake")
uvgrpc_core_cache("${UVGRPC_CORE_FLAGS}")
