# Manual pages from docs/*.md, so that nothing is written twice. Without pandoc there are none: everything else is built.
find_program(PANDOC pandoc)
find_program(GZIP gzip)
set(man_pages "")
function(gotuned_man PAGE SECTION SOURCE PURPOSE SEE_ALSO)
  set(made ${CMAKE_BINARY_DIR}/man/${PAGE}.${SECTION}.gz)
  add_custom_command(OUTPUT ${made}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/man
    COMMAND ${PANDOC} --standalone --from gfm --to man --lua-filter ${CMAKE_SOURCE_DIR}/cmake/man.lua
      --metadata "title=${PAGE}" --metadata section=${SECTION} --metadata "footer=gotuned ${PROJECT_VERSION}"
      --metadata "purpose=${PURPOSE}" --metadata "see-also=${SEE_ALSO}"
      --output ${CMAKE_BINARY_DIR}/man/${PAGE}.${SECTION} ${CMAKE_SOURCE_DIR}/docs/${SOURCE}
    COMMAND ${GZIP} -9nf ${CMAKE_BINARY_DIR}/man/${PAGE}.${SECTION}
    DEPENDS ${CMAKE_SOURCE_DIR}/docs/${SOURCE} ${CMAKE_SOURCE_DIR}/cmake/man.lua ${CMAKE_SOURCE_DIR}/cmake/man.cmake
    VERBATIM)
  set(man_pages ${man_pages} ${made} PARENT_SCOPE)
  install(FILES ${made} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${SECTION} OPTIONAL)
endfunction()
if(PANDOC AND GZIP)
  gotuned_man(gotuned 8 gotuned.md "watches Go services, adjusts the kernel around them, and undoes what did not help"
    "gotunectl(1), gotuned.yaml(5), gotuned-rulebook(5), /usr/share/doc/gotuned/guide.md")
  gotuned_man(gotunectl 1 gotunectl.md "asks and steers gotuned" "gotuned(8), gotuned.yaml(5), gotuned-rulebook(5)")
  gotuned_man(gotuned.yaml 5 gotuned.yaml.md "settings of gotuned" "gotuned(8), gotuned-rulebook(5)")
  gotuned_man(gotuned-rulebook 5 rulebook.md "rules by which gotuned adjusts the kernel around Go services"
    "gotuned(8), gotunectl(1), gotuned.yaml(5)")
  add_custom_target(gotuned_man ALL DEPENDS ${man_pages})
else()
  message(STATUS "no pandoc: the manual pages are not made")
endif()
