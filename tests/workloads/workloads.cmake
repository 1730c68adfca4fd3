# Every folder here with a main.go becomes build/workloads/FOLDER. No network: the programs use only Go's own library.
find_program(GO go)
if(NOT GO)
  message(WARNING "no Go toolchain: the workloads are not built, and the tests that need them are skipped")
  return()
endif()

set(workloads_out ${CMAKE_BINARY_DIR}/workloads)
set(workload_files)
file(GLOB workload_mains CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*/main.go)
file(GLOB_RECURSE workload_shared CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/internal/*.go)
foreach(main ${workload_mains})
  get_filename_component(folder ${main} DIRECTORY)
  get_filename_component(name ${folder} NAME)
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*)
  add_custom_command(OUTPUT ${workloads_out}/${name}
    COMMAND ${CMAKE_COMMAND} -E env GOFLAGS=-mod=mod GOPROXY=off GOWORK=off ${GO} build -buildvcs=false -o ${workloads_out}/${name} .
    WORKING_DIRECTORY ${folder}
    DEPENDS ${sources} ${workload_shared} ${CMAKE_CURRENT_LIST_DIR}/go.mod
    COMMENT "Go workload ${name}" VERBATIM)
  list(APPEND workload_files ${workloads_out}/${name})
endforeach()
# Part of "all" with sanitizers too: they are not instrumented, but the tests expect them in their own build folder.
add_custom_target(gotuned_workloads ALL DEPENDS ${workload_files})
