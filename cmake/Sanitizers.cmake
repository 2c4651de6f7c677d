# UVGRPC_SANITIZE: empty, "address,undefined" or "thread". Sets
#   UVGRPC_SANITIZER_OPTIONS  what our targets are compiled and linked with
#   UVGRPC_CORE_FLAGS         what the core is compiled with; one core a value
# The core has to be built alike: abseil inlined on both sides but instrumented
# on one gives false reports.
set(UVGRPC_SANITIZE "" CACHE STRING "empty, address,undefined or thread")

set(UVGRPC_SANITIZER_OPTIONS "")
set(UVGRPC_CORE_FLAGS "-O2 -fno-plt")
if(UVGRPC_SANITIZE)
  if(NOT UVGRPC_SANITIZE MATCHES "^(address,undefined|thread)$")
    message(FATAL_ERROR "UVGRPC_SANITIZE is \"${UVGRPC_SANITIZE}\"; it may be empty, address,undefined or thread")
  endif()
  set(UVGRPC_SANITIZER_OPTIONS -fsanitize=${UVGRPC_SANITIZE} -fno-omit-frame-pointer)
  if(UVGRPC_SANITIZE MATCHES "undefined")
    # vptr would refer to the type information of classes the core leaves out.
    # With the null checks GCC takes the address of a function for no constant,
    # which abseil's hash tables need (GCC bug 71962); ASan finds those anyway.
    list(APPEND UVGRPC_SANITIZER_OPTIONS
      -fno-sanitize=vptr,null,nonnull-attribute,returns-nonnull-attribute -fno-sanitize-recover=undefined)
  endif()
  # The core's own undefined behaviour is gRPC's to find, and checks for it
  # would double the time this copy takes; memory and thread errors we look for
  # there too, because ours show up there.
  if(UVGRPC_SANITIZE MATCHES "address")
    set(UVGRPC_CORE_FLAGS "-O1 -g1 -fno-omit-frame-pointer -fsanitize=address")
  else()
    set(UVGRPC_CORE_FLAGS "-O1 -g1 -fno-omit-frame-pointer -fsanitize=${UVGRPC_SANITIZE}")
  endif()
endif()
