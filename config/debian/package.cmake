# The Debian package: `./dev package`, or `cpack -G DEB` in the build directory
# once greenroom_package has been built.
#
# Programs lie together in /usr/lib/greenroom, as the unit has them; people call
# the link in /usr/bin. What the package does to a machine beyond its files is
# in postinst, prerm and postrm beside this.
set(programs greenroom greenroom-runner greenroom-git)
set(made ${PROJECT_BINARY_DIR}/package)
set(here ${PROJECT_SOURCE_DIR}/config)

foreach(shell bash zsh fish)
  add_custom_command(OUTPUT ${made}/completion.${shell}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${made}
    COMMAND greenroom completion ${shell} > ${made}/completion.${shell}
    DEPENDS greenroom VERBATIM)
  list(APPEND made_files ${made}/completion.${shell})
endforeach()
add_custom_command(OUTPUT ${made}/greenroom.1.gz ${made}/greenroom
  COMMAND ${CMAKE_COMMAND} -E make_directory ${made}
  COMMAND gzip -9nc ${here}/debian/greenroom.1 > ${made}/greenroom.1.gz
  COMMAND ${CMAKE_COMMAND} -E create_symlink
    ../lib/greenroom/greenroom ${made}/greenroom
  DEPENDS ${here}/debian/greenroom.1 VERBATIM)
add_custom_target(greenroom_package
  DEPENDS ${programs} ${made_files} ${made}/greenroom.1.gz)

install(TARGETS ${programs} DESTINATION /usr/lib/greenroom)
install(DIRECTORY ${PROJECT_BINARY_DIR}/console DESTINATION /usr/lib/greenroom
  PATTERN .copied EXCLUDE)
install(FILES ${made}/greenroom DESTINATION /usr/bin)
install(FILES ${here}/greenroom.service DESTINATION /lib/systemd/system)
install(FILES ${here}/grafana/greenroom.json DESTINATION /usr/share/greenroom/grafana)
install(FILES ${here}/example.jsonc DESTINATION /etc/greenroom
  RENAME greenroom.jsonc)
install(FILES ${made}/greenroom.1.gz DESTINATION /usr/share/man/man1)
install(FILES ${made}/completion.bash RENAME greenroom
  DESTINATION /usr/share/bash-completion/completions)
install(FILES ${made}/completion.zsh RENAME _greenroom
  DESTINATION /usr/share/zsh/vendor-completions)
install(FILES ${made}/completion.fish RENAME greenroom.fish
  DESTINATION /usr/share/fish/vendor_completions.d)
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md
  ${here}/debian/copyright DESTINATION /usr/share/doc/greenroom)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME greenroom)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Server for remote development sessions")
set(CPACK_PACKAGE_CONTACT "The maintainers of Greenroom <root@localhost>")
set(CPACK_STRIP_FILES ON)
set(CPACK_SET_DESTDIR ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, git, bubblewrap, ca-certificates, passwd, procps, uidmap")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "slirp4netns, git-lfs")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${here}/debian/conffiles
  ${here}/debian/postinst ${here}/debian/prerm ${here}/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
