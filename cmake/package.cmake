# The Debian package: scripts/package runs `cpack -G DEB` with what stands here. Debian's maintainer scripts are written out
# in cmake/debian, since debhelper's would want a source package around them; they call what debhelper's call.
if(NOT CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  return()  # a package that is not for /usr would be none of Debian's
endif()
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME gotuned)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/package)
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
# Some of it goes to /etc, whatever the prefix.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
# scripts/package --revision N gives another: it tells two packages of one version apart.
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "gotuned maintainers <maintainers@gotuned.org>")
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "node daemon that tunes the kernel around Go services")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"gotuned watches every Go process of a host with small eBPF programs, decides
by rules in YAML, adjusts the kernel around the process (descriptor limits, CPU
affinity, cgroup memory, sysctls), checks that the adjustment helped, undoes it
when it did not, and tells Prometheus all that it saw and did. The services
need no change, no agent and no restart.
.
After installation it watches and advises; it enforces nothing until a profile
is chosen.")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# systemd, or what Debian offers where it does not run: the postinst needs groups and /run/gotuned.
set(CPACK_DEBIAN_PACKAGE_DEPENDS
  "systemd | systemd-standalone-sysusers | systemd-sysusers, systemd | systemd-standalone-tmpfiles | systemd-tmpfiles")
# Loaded when a rule reads something over HTTP.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libcurl4 | libcurl4t64")
set(debian ${CMAKE_SOURCE_DIR}/cmake/debian)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${debian}/conffiles ${debian}/postinst ${debian}/prerm ${debian}/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_PRE_BUILD_SCRIPTS ${debian}/finish.cmake)
set(CPACK_GOTUNED_SOURCE ${CMAKE_SOURCE_DIR})
include(CPack)
