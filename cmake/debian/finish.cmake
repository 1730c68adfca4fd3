# cpack runs this over the staged tree: what only the Debian package has.
set(doc ${CPACK_TEMPORARY_DIRECTORY}/usr/share/doc/gotuned)
# The licence is in common-licenses, and named in copyright.
file(REMOVE ${doc}/LICENSE)
file(COPY ${CPACK_GOTUNED_SOURCE}/cmake/debian/copyright DESTINATION ${doc})
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()
file(RENAME ${doc}/CHANGELOG.md ${doc}/changelog)
execute_process(
  COMMAND ${CPACK_GOTUNED_SOURCE}/cmake/debian/make-changelog ${doc}/changelog
    ${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE} ${CPACK_DEBIAN_PACKAGE_MAINTAINER}
  OUTPUT_FILE ${doc}/changelog.Debian COMMAND_ERROR_IS_FATAL ANY)
run(gzip -9n ${doc}/changelog ${doc}/changelog.Debian)
# The caller's umask is not the package's business.
run(chmod -R u=rwX,go=rX ${CPACK_TEMPORARY_DIRECTORY})
