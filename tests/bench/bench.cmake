# bench_overhead: what the probes cost (scripts/bench overhead). Built on demand, not run by ctest: a measurement is no test.
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
  add_executable(bench_overhead EXCLUDE_FROM_ALL ${bench_sources} ${floor_out}/floor.skel.h)
  target_include_directories(bench_overhead SYSTEM PRIVATE ${floor_out})
  target_include_directories(bench_overhead PRIVATE ${CMAKE_CURRENT_LIST_DIR})
  target_link_libraries(bench_overhead PRIVATE gotuned_probe)
endif()
