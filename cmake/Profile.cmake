# UVGRPC_PROFILE: how the core is compiled, as far as GCC's profiles go. After Sanitizers.
#   use       with the one that cmake/core/profiles has for the compiler, if it has one
#   generate  to make one: what runs writes it to UVGRPC_PROFILE_DIR (make profile)
#   off       without
set(UVGRPC_PROFILE "use" CACHE STRING "use, generate or off")
set(UVGRPC_PROFILE_DIR "" CACHE PATH "where running programs write a profile")

set(UVGRPC_PROFILE_LINK_OPTIONS "")
if(UVGRPC_PROFILE STREQUAL "generate")
  # Several threads may count, but hardly ever at the same time.
  string(APPEND UVGRPC_CORE_FLAGS " -fprofile-generate=${UVGRPC_PROFILE_DIR} -fprofile-update=prefer-atomic")
  set(UVGRPC_PROFILE_LINK_OPTIONS -fprofile-generate)
elseif(NOT UVGRPC_PROFILE MATCHES "^(use|off)$")
  message(FATAL_ERROR "UVGRPC_PROFILE is \"${UVGRPC_PROFILE}\"; it may be use, generate or off")
endif()
if(UVGRPC_SANITIZE)
  set(UVGRPC_PROFILE "off")
endif()
