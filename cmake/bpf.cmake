# bpf/*.bpf.c → one linked, stripped object a probe → a skeleton header that daemon/probe includes.
# bpf/kernel.h holds our own minimal kernel types, so the object does not depend on the building machine's kernel.
find_program(BPF_CLANG NAMES clang-19 clang REQUIRED)
find_program(BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
  set(BPF_ARCH x86)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(BPF_ARCH arm64)
else()
  message(FATAL_ERROR "gotuned knows no BPF register layout for ${CMAKE_SYSTEM_PROCESSOR}")
endif()

file(GLOB bpf_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bpf/*.bpf.c)
file(GLOB bpf_headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bpf/*.h)
set(bpf_out ${CMAKE_BINARY_DIR}/bpf-skeletons)
file(MAKE_DIRECTORY ${bpf_out})
set(bpf_skeletons)
foreach(source ${bpf_sources})
  get_filename_component(name ${source} NAME)
  string(REPLACE ".bpf.c" "" name ${name})
  set(raw ${bpf_out}/${name}.raw.o)
  set(object ${bpf_out}/${name}.bpf.o)
  set(skeleton ${bpf_out}/${name}.skel.h)
  add_custom_command(OUTPUT ${skeleton}
    COMMAND ${BPF_CLANG} -target bpf -D__BPF__ -D__TARGET_ARCH_${BPF_ARCH} -g -O2 -mcpu=v3 -Wall -Werror
      -I${CMAKE_SOURCE_DIR}/bpf -c ${source} -o ${raw}
    COMMAND ${BPFTOOL} gen object ${object} ${raw}
    COMMAND ${BPFTOOL} gen skeleton ${object} name ${name}_bpf > ${skeleton}
    DEPENDS ${source} ${bpf_headers}
    COMMENT "BPF ${name}" VERBATIM)
  list(APPEND bpf_skeletons ${skeleton})
endforeach()
add_custom_target(gotuned_bpf_skeletons DEPENDS ${bpf_skeletons})
add_library(gotuned_bpf INTERFACE)
add_dependencies(gotuned_bpf gotuned_bpf_skeletons)
target_include_directories(gotuned_bpf SYSTEM INTERFACE ${bpf_out})
