# tests/scripts/*_test: checks that are shell scripts. They get the build folder and find the source by their own place.
file(GLOB script_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*_test)
foreach(script ${script_tests})
  get_filename_component(name ${script} NAME)
  string(REGEX REPLACE "_test$" "" name ${name})
  add_test(NAME scripts_${name} COMMAND ${script} ${CMAKE_BINARY_DIR})
  set_tests_properties(scripts_${name} PROPERTIES LABELS script SKIP_RETURN_CODE 77 TIMEOUT 300)
endforeach()
