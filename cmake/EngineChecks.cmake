# What a project has beside the engine, and whether that fits. Of the build, and of the
# installed package (uvgrpc_engineConfig.cmake). The problems found are texts.

# The first libuv with uv_run's present order of timers and polling (src/iomgr_uv/uv_api.h).
set(UVGRPC_LIBUV_MINIMUM 1.45)

# uvgrpc_libuv_version(OUT TARGET): the version that the headers of a libuv target have, else empty.
function(uvgrpc_libuv_version out target)
  set(dirs)
  set(targets ${target})
  set(seen)
  while(targets)
    list(POP_FRONT targets next)
    if(next IN_LIST seen)
      continue()
    endif()
    list(APPEND seen ${next})
    get_target_property(own ${next} INTERFACE_INCLUDE_DIRECTORIES)
    if(own)
      list(APPEND dirs ${own})
    endif()
    get_target_property(links ${next} INTERFACE_LINK_LIBRARIES)
    foreach(link IN LISTS links)
      if(TARGET "${link}")
        list(APPEND targets ${link})
      endif()
    endforeach()
  endwhile()
  # libuv's own build says $<BUILD_INTERFACE:...>.
  string(REGEX REPLACE "\\$<BUILD_INTERFACE:([^>]*)>" "\\1" dirs "${dirs}")
  string(GENEX_STRIP "${dirs}" dirs)
  set(version "")
  unset(header)
  find_file(header uv/version.h PATHS ${dirs} NO_CACHE NO_DEFAULT_PATH)
  if(NOT header)
    find_file(header uv/version.h NO_CACHE)
  endif()
  if(header)
    file(STRINGS "${header}" lines REGEX "define +UV_VERSION_(MAJOR|MINOR|PATCH)")
    string(REGEX REPLACE "[^0-9]*([0-9]+)[^0-9]+([0-9]+)[^0-9]+([0-9]+).*" "\\1.\\2.\\3" version "${lines}")
  endif()
  set(${out} "${version}" PARENT_SCOPE)
endfunction()

# uvgrpc_libuv_problem(OUT TARGET): why the engine cannot be on a loop of this libuv's, else empty.
# TARGET is what UVGRPC_LIBUV says: none is ours.
function(uvgrpc_libuv_problem out target)
  set(problem "")
  if(NOT target)
    if(TARGET uv_a OR TARGET uv)
      set(problem "the project has a libuv of its own: name its target in UVGRPC_LIBUV")
    endif()
  elseif(NOT TARGET "${target}")
    set(problem "UVGRPC_LIBUV is \"${target}\", which is no target here: find or add libuv before uvgrpc_engine")
  else()
    uvgrpc_libuv_version(version ${target})
    if(NOT version)
      set(problem "UVGRPC_LIBUV is \"${target}\", but uv/version.h is in none of its include directories")
    elseif(version VERSION_LESS UVGRPC_LIBUV_MINIMUM OR version VERSION_GREATER_EQUAL 2)
      set(problem "UVGRPC_LIBUV is \"${target}\", libuv ${version}, but \
uvgrpc_engine needs ${UVGRPC_LIBUV_MINIMUM} or later, below 2 (without UVGRPC_LIBUV it brings one)")
    endif()
  endif()
  set(${out} "${problem}" PARENT_SCOPE)
endfunction()

# uvgrpc_grpc_problem(OUT VERSION): why gRPC's core of this version, ours, is not for the project.
function(uvgrpc_grpc_problem out version)
  set(problem "")
  if(UVGRPC_GRPC_VERSION AND NOT "${version}." MATCHES "^${UVGRPC_GRPC_VERSION}\\.")
    set(problem "the project is made for gRPC ${UVGRPC_GRPC_VERSION} (UVGRPC_GRPC_VERSION), \
uvgrpc_engine has gRPC's core ${version} built in")
  elseif(TARGET gRPC::grpc OR TARGET gRPC::grpc_unsecure)
    set(problem "this directory of the project has another gRPC ${gRPC_VERSION}, but uvgrpc_engine has gRPC's core ${version} \
built in, and a program can only have one. Use them in different directories, for different programs")
  endif()
  set(${out} "${problem}" PARENT_SCOPE)
endfunction()

# uvgrpc_engine_problem(OUT GRPC_VERSION LIBUV): either of them.
function(uvgrpc_engine_problem out version libuv)
  uvgrpc_libuv_problem(problem "${libuv}")
  if(NOT problem)
    uvgrpc_grpc_problem(problem "${version}")
  endif()
  set(${out} "${problem}" PARENT_SCOPE)
endfunction()
