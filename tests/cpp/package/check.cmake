# cmake -DCASE=... -P check.cmake: uvgrpc_engine as other projects get it. Cases:
#   installed     installs this build, elsewhere than it stays, and builds and runs examples/cpp-libuv with it
#   subdirectory  builds and runs the example with the sources as a part of it
#   mismatch      what has to be refused while a project is configured (after `installed`)
# Takes SOURCE_DIR and BINARY_DIR of uvgrpc, WORK_DIR, GENERATOR, C_COMPILER, CXX_COMPILER, PYTHON, and for
# `subdirectory` BUILD_TYPE, CXX_FLAGS and WERROR: those of this build, so that ccache, which may know paths by how they
# begin (base_dir), can have what it compiles in a folder beside.
set(example "${SOURCE_DIR}/examples/cpp-libuv")
set(prefix "${WORK_DIR}/prefix")
set(output [[
TCP: hello over TCP
gRPC: HELLO OVER GRPC
no answer: Deadline Exceeded
threads: 1
closed: everything
]])

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT status EQUAL 0)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "${command}: ${status}\n${out}")
  endif()
endfunction()

function(build_and_run_example tree)
  run("${CMAKE_COMMAND}" -S "${example}" -B "${tree}" -G "${GENERATOR}"
    "-DCMAKE_CXX_COMPILER=${CXX_COMPILER}" ${ARGN})
  run("${CMAKE_COMMAND}" --build "${tree}")
  execute_process(COMMAND "${tree}/cpp_libuv" TIMEOUT 30 RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE errors)
  if(NOT status EQUAL 0 OR NOT out STREQUAL output OR errors)
    message(FATAL_ERROR "cpp_libuv: ${status}\n${out}${errors}")
  endif()
endfunction()

# expect(REGEX ARGUMENT...): what CMake says of the project mismatch, which it configures if that is "found with ...".
function(expect says)
  execute_process(
    COMMAND "${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/mismatch" -B "${WORK_DIR}/mismatch" --fresh -G "${GENERATOR}"
      "-DCMAKE_CXX_COMPILER=${CXX_COMPILER}" ${ARGN}
    RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  # CMake breaks lines of its errors.
  string(REGEX REPLACE "[ \n]+" " " text "${out}")
  if(says MATCHES "^found with")
    set(wanted "^0$")
  else()
    set(wanted "^1$")
  endif()
  if(NOT status MATCHES "${wanted}" OR NOT text MATCHES "${says}")
    message(SEND_ERROR "wanted \"${says}\", CMake ended with ${status} and:\n${out}")
  endif()
endfunction()

# libuv(VERSION OUT): an include directory with the headers, as far as they tell the version.
function(libuv version out)
  string(REGEX MATCH "([0-9]+)\\.([0-9]+)\\.([0-9]+)" numbers "${version}")
  set(dir "${WORK_DIR}/libuv-${version}")
  file(WRITE "${dir}/uv/version.h"
    "#define UV_VERSION_MAJOR ${CMAKE_MATCH_1}\n#define UV_VERSION_MINOR ${CMAKE_MATCH_2}\n"
    "#define UV_VERSION_PATCH ${CMAKE_MATCH_3}\n#define UV_VERSION_HEX ((UV_VERSION_MAJOR << 16))\n")
  set(${out} "-DLIBUV_INCLUDE=${dir}" PARENT_SCOPE)
endfunction()

if(CASE STREQUAL "installed")
  file(REMOVE_RECURSE "${prefix}" "${prefix}-built" "${WORK_DIR}/installed")
  run("${CMAKE_COMMAND}" --install "${BINARY_DIR}" --prefix "${prefix}-built")
  file(RENAME "${prefix}-built" "${prefix}")
  build_and_run_example("${WORK_DIR}/installed" "-DCMAKE_PREFIX_PATH=${prefix}" "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror"
    -DCMAKE_DISABLE_FIND_PACKAGE_Python3=ON)
elseif(CASE STREQUAL "subdirectory")
  build_and_run_example("${BINARY_DIR}-subdirectory" "-DUVGRPC_SOURCE_DIR=${SOURCE_DIR}"
    "-DCMAKE_BUILD_TYPE=${BUILD_TYPE}" "-DCMAKE_CXX_FLAGS=${CXX_FLAGS}" "-DUVGRPC_WERROR=${WERROR}"
    "-DCMAKE_C_COMPILER=${C_COMPILER}" "-DPython3_EXECUTABLE=${PYTHON}")
elseif(CASE STREQUAL "mismatch")
  set(at "-DCMAKE_PREFIX_PATH=${prefix}")
  libuv(1.44.2 old)
  libuv(1.45.0 oldest)
  libuv(2.0.0 next)
  expect("found with gRPC 1\\." ${at})
  expect("found with gRPC" ${at} ${oldest} -DUVGRPC_LIBUV=own_libuv)
  expect("found with gRPC" ${at} ${oldest} -DUVGRPC_LIBUV=own_libuv_outer)
  expect("\"own_libuv_outer\", libuv 1.44.2, but uvgrpc_engine needs 1.45" ${at} ${old} -DUVGRPC_LIBUV=own_libuv_outer)
  expect("libuv 2.0.0, but uvgrpc_engine needs 1.45 or later, below 2" ${at} ${next} -DUVGRPC_LIBUV=own_libuv)
  expect("\"elsewhere\", which is no target here" ${at} -DUVGRPC_LIBUV=elsewhere)
  expect("found with gRPC 1\\.85" ${at} -DUVGRPC_GRPC_VERSION=1.85)
  expect("made for gRPC 1.8 .*has gRPC's core 1\\.85" ${at} -DUVGRPC_GRPC_VERSION=1.8)
  expect("has another gRPC 1.51.1, but" ${at} -DOTHER_GRPC=1.51.1)
  expect("compatible with requested version \"0.0\"" ${at} -DPACKAGE_VERSION_WANTED=0.0)
  set(at "-DUVGRPC_SOURCE_DIR=${SOURCE_DIR}")
  expect("libuv 1.44.2, but uvgrpc_engine needs 1.45" ${at} ${old} -DUVGRPC_LIBUV=own_libuv)
  expect("made for gRPC 1.84 .*has gRPC's core 1\\.85" ${at} -DUVGRPC_GRPC_VERSION=1.84)
  expect("has another gRPC 1.51.1, but" ${at} -DOTHER_GRPC=1.51.1)
  expect("need Python 3.11 or later; nothing of it" ${at} -DCMAKE_DISABLE_FIND_PACKAGE_Python3=ON)
else()
  message(FATAL_ERROR "no case \"${CASE}\"")
endif()
