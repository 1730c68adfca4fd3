# What the tests need besides Catch2 programs: Go workloads, the bench, and the checks that are scripts.
include(${CMAKE_CURRENT_SOURCE_DIR}/workloads/workloads.cmake)
include(${CMAKE_CURRENT_SOURCE_DIR}/bench/bench.cmake OPTIONAL)
include(${CMAKE_CURRENT_SOURCE_DIR}/fuzz/fuzz.cmake OPTIONAL)
include(${CMAKE_CURRENT_SOURCE_DIR}/scripts/scripts.cmake OPTIONAL)
include(${CMAKE_CURRENT_SOURCE_DIR}/docs/docs.cmake)

# What the sanitizers run over: unit tests only.
get_property(all_targets DIRECTORY PROPERTY BUILDSYSTEM_TARGETS)
list(FILTER all_targets INCLUDE REGEX "^unit_")
add_custom_target(gotuned_unit_tests DEPENDS ${all_targets})
