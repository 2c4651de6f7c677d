# What a translation unit needs to see the core's headers as the core itself saw
# them; shared by the core's build and by ours. Takes GRPC_SOURCE_DIR and
# GRPC_VERSION. NDEBUG is part of it: abseil's layout depends on it.
set(GRPC_CORE_INCLUDES "")
foreach(dir IN ITEMS
    include . third_party/abseil-cpp third_party/address_sorting/include
    third_party/cares/cares/include third_party/cares third_party/cares/cares
    third_party/cares/cares/src/lib/include third_party/cares/cares/src/lib third_party/cares/config_linux
    third_party/re2 third_party/boringssl-with-bazel/include third_party/upb
    src/core/ext/upb-gen src/core/ext/upbdefs-gen third_party/utf8_range third_party/xxhash third_party/zlib)
  list(APPEND GRPC_CORE_INCLUDES "${GRPC_SOURCE_DIR}/${dir}")
endforeach()
set(GRPC_CORE_DEFINITIONS
  NDEBUG HAVE_CONFIG_H=1 GRPC_ENABLE_FORK_SUPPORT=1 GRPC_NO_FILTER_FUSION __STDC_FORMAT_MACROS
  GRPC_XDS_USER_AGENT_NAME_SUFFIX="Python" GRPC_XDS_USER_AGENT_VERSION_SUFFIX="${GRPC_VERSION}")
