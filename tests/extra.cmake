# What the tests need besides Catch2 programs: Go workloads, the bench, and the checks that are scripts.
include(${CMAKE_CURRENT_SOURCE_DIR}/workloads/workloads.cmake)
include(${CMAKE_CURRENT_SOURCE_DIR}/bench/bench.cmake OPTIONAL)
include(${CMAKE_CURRENT_SOURCE_DIR}/fuzz/fuzz.cmake OPTIONAL)
include(${CMAKE_CURRENT_SOURCE_DIR}/scripts/scripts.cmake OPTIONAL)
