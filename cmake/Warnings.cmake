# uvgrpc_warnings(TARGET): our own code only; generated code and headers of
# dependencies are left alone.
option(UVGRPC_WERROR "Treat warnings in uvgrpc's own C++ as errors" OFF)

function(uvgrpc_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra $<$<BOOL:${UVGRPC_WERROR}>:-Werror>)
endfunction()
