# docs/signals.md is made from the code, and a test keeps it current.
if(TARGET gotuned_observe)
  add_executable(docs_signals ${CMAKE_CURRENT_LIST_DIR}/signals.cpp)
  target_link_libraries(docs_signals PRIVATE gotuned_observe)
  add_test(NAME docs_signals COMMAND ${CMAKE_SOURCE_DIR}/scripts/docs --check ${CMAKE_BINARY_DIR})
  set_tests_properties(docs_signals PROPERTIES LABELS script SKIP_RETURN_CODE 77)
endif()
