# `cmake --install`: binaries (where they are built), unit, packaged rules and profiles, schemas, documentation.
# DESTDIR works. The daemon looks for packaged rules in /usr/lib/gotuned: another prefix is told to it by the unit.
if(CMAKE_INSTALL_PREFIX_INITIALIZED_TO_DEFAULT)
  set(CMAKE_INSTALL_PREFIX /usr CACHE PATH "Install prefix" FORCE)
  # Their defaults depend on the prefix (/etc for /usr, else PREFIX/etc).
  GNUInstallDirs_get_absolute_install_dir(CMAKE_INSTALL_FULL_SBINDIR CMAKE_INSTALL_SBINDIR SBINDIR)
  GNUInstallDirs_get_absolute_install_dir(CMAKE_INSTALL_FULL_BINDIR CMAKE_INSTALL_BINDIR BINDIR)
  GNUInstallDirs_get_absolute_install_dir(CMAKE_INSTALL_FULL_DOCDIR CMAKE_INSTALL_DOCDIR DOCDIR)
endif()
set(GOTUNED_UNIT_FLAGS "")
if(NOT CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(GOTUNED_UNIT_FLAGS " --packaged ${CMAKE_INSTALL_PREFIX}/lib/gotuned/rulebook.d --profiles ${CMAKE_INSTALL_PREFIX}/lib/gotuned/profiles")
endif()
foreach(unit gotuned.service gotuned-undo.service)
  configure_file(${CMAKE_SOURCE_DIR}/systemd/${unit}.in ${CMAKE_BINARY_DIR}/${unit} @ONLY)
endforeach()

install(FILES ${CMAKE_BINARY_DIR}/gotuned.service ${CMAKE_BINARY_DIR}/gotuned-undo.service
  ${CMAKE_SOURCE_DIR}/systemd/gotuned-undo.timer DESTINATION lib/systemd/system)
install(FILES ${CMAKE_SOURCE_DIR}/systemd/gotuned.tmpfiles DESTINATION lib/tmpfiles.d RENAME gotuned.conf)
install(FILES ${CMAKE_SOURCE_DIR}/systemd/gotuned.sysusers DESTINATION lib/sysusers.d RENAME gotuned.conf)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/systemd/examples/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples FILES_MATCHING PATTERN "*.conf")

install(DIRECTORY ${CMAKE_SOURCE_DIR}/config/rulebook.d ${CMAKE_SOURCE_DIR}/config/profiles DESTINATION lib/gotuned
  OPTIONAL FILES_MATCHING PATTERN "*.yaml")
file(GLOB schemas CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/config/*.schema.json)
install(FILES ${schemas} DESTINATION share/gotuned)
# Without promtool's tests: a rule_files: of *.yaml would load them as rules.
install(DIRECTORY ${CMAKE_SOURCE_DIR}/config/prometheus ${CMAKE_SOURCE_DIR}/config/grafana DESTINATION share/gotuned
  FILES_MATCHING PATTERN "*.rules.yaml" PATTERN "*.json")

# The operator's: /etc whatever the prefix, since that is where the daemon looks; a file that is there is not replaced.
# (file(INSTALL) puts DESTDIR before its destination by itself.)
install(DIRECTORY DESTINATION /etc/gotuned/rulebook.d)
install(CODE "
  if(EXISTS \"${CMAKE_SOURCE_DIR}/config/gotuned.yaml\" AND NOT EXISTS \"\$ENV{DESTDIR}/etc/gotuned/gotuned.yaml\")
    file(INSTALL DESTINATION /etc/gotuned TYPE FILE FILES \"${CMAKE_SOURCE_DIR}/config/gotuned.yaml\")
  endif()")

file(GLOB documents CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/*.md)
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/CHANGELOG.md ${CMAKE_SOURCE_DIR}/LICENSE ${documents}
  DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
install(FILES ${CMAKE_SOURCE_DIR}/config/bash-completion/gotunectl DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${CMAKE_SOURCE_DIR}/config/bash-completion/gotunectl DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
  RENAME gotuned)
include(${CMAKE_CURRENT_LIST_DIR}/man.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/package.cmake)
