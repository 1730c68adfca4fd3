# bench_NAME: what scripts/bench NAME runs. Built on demand, not run by ctest: a measurement is no test.
set(floor_out ${CMAKE_BINARY_DIR}/bench-skeletons)
file(MAKE_DIRECTORY ${floor_out})
add_custom_command(OUTPUT ${floor_out}/floor.skel.h
  COMMAND ${BPF_CLANG} -target bpf -D__BPF__ -D__TARGET_ARCH_${BPF_ARCH} -g -O2 -mcpu=v3 -Wall -Werror
    -I${CMAKE_SOURCE_DIR}/bpf -c ${CMAKE_CURRENT_LIST_DIR}/floor.bpf.c -o ${floor_out}/floor.raw.o
  COMMAND ${BPFTOOL} gen object ${floor_out}/floor.bpf.o ${floor_out}/floor.raw.o
  COMMAND ${BPFTOOL} gen skeleton ${floor_out}/floor.bpf.o name floor_bpf > ${floor_out}/floor.skel.h
  DEPENDS ${CMAKE_CURRENT_LIST_DIR}/floor.bpf.c ${CMAKE_SOURCE_DIR}/bpf/kernel.h
  COMMENT "BPF floor" VERBATIM)
if(TARGET gotuned_probe)
  file(GLOB bench_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.cpp)
  set(bench_mains overhead scale syscall programs)
  foreach(main ${bench_mains})
    list(REMOVE_ITEM bench_sources ${CMAKE_CURRENT_LIST_DIR}/${main}.cpp)
  endforeach()
  add_library(gotuned_bench STATIC EXCLUDE_FROM_ALL ${bench_sources} ${floor_out}/floor.skel.h)
  target_include_directories(gotuned_bench SYSTEM PUBLIC ${floor_out})
  target_include_directories(gotuned_bench PUBLIC ${CMAKE_CURRENT_LIST_DIR})
  target_link_libraries(gotuned_bench PUBLIC gotuned_probe)
  foreach(main ${bench_mains})
    add_executable(bench_${main} EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/${main}.cpp)
    target_link_libraries(bench_${main} PRIVATE gotuned_bench)
  endforeach()
  # It makes its stall itself, and looks at what the daemon says: it needs neither probes nor load.
  add_executable(bench_react EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/react/react.cpp ${CMAKE_CURRENT_LIST_DIR}/child.cpp)
  target_include_directories(bench_react PRIVATE ${CMAKE_SOURCE_DIR}/tests/support)
  target_link_libraries(bench_react PRIVATE gotuned_observe)
endif()
