# uvgrpc_cython(OUTPUT_VARIABLE PYX MODULE): C++ generated from PYX by the Cython
# of Python3_EXECUTABLE, remade when PYX or a .pxd that it reads changes.
function(uvgrpc_cython output pyx module)
  execute_process(
    COMMAND "${Python3_EXECUTABLE}" -m cython --version
    RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${Python3_EXECUTABLE} has no Cython: pip install -r third_party/requirements.txt")
  endif()
  get_filename_component(stem "${pyx}" NAME_WE)
  set(generated "${CMAKE_CURRENT_BINARY_DIR}/${stem}.cc")
  add_custom_command(
    OUTPUT "${generated}"
    COMMAND "${Python3_EXECUTABLE}" -m cython --cplus -3 --depfile --module-name ${module}
      -I "${PROJECT_SOURCE_DIR}" -o "${generated}" "${pyx}"
    COMMAND "${Python3_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/cmake/depfile.py" "${generated}.dep"
    DEPFILE "${generated}.dep"
    DEPENDS "${pyx}"
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
    COMMENT "Cython ${module}"
    VERBATIM)
  set(${output} "${generated}" PARENT_SCOPE)
endfunction()
