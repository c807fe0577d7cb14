#include "runtime/git/mirror/handles.hpp"

#include "runtime/base/fd.hpp"

#include <fcntl.h>

#include <cerrno>
#include <system_error>

namespace greenroom::git {

namespace {

// libgit2 tells of what the machine lacks in words only.
void throw_shortage(const std::string& text) {
  for (auto lacking : {EMFILE, ENFILE, ENOMEM, EAGAIN, ENOSPC}) {
    std::error_code error{lacking, std::generic_category()};
    if (text.ends_with(error.message()))
      throw std::system_error{error, text};
  }
}

} // namespace

void check(int code, std::string_view what) {
  if (code >= 0)
    return;
  const auto* error = git_error_last();
  std::string text{what};
  text += ": ";
  text += error != nullptr && error->message != nullptr ? error->message
                                                        : "no reason given";
  throw_shortage(text);
  throw git_failure{code, text};
}

void start_library() {
  static const bool started = [] {
    check(git_libgit2_init(), "cannot start libgit2");
    for (auto level : {GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM,
                       GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL})
      check(git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, ""),
            "cannot set up libgit2");
    return true;
  }();
  static_cast<void>(started);
}

repository_handle open_mirror(const std::filesystem::path& path) {
  start_library();
  repository_handle result;
  check(git_repository_open_bare(receive(result), path.c_str()),
        "cannot open the mirror " + path.string());
  return result;
}

std::string to_hex(const git_oid& id) {
  std::string result(GIT_OID_HEXSZ, '0');
  git_oid_fmt(result.data(), &id);
  return result;
}

git_oid to_oid(std::string_view hex) {
  git_oid result;
  if (hex.size() != GIT_OID_HEXSZ
      || git_oid_fromstrn(&result, hex.data(), hex.size()) != 0)
    throw std::invalid_argument("not an object id: " + std::string{hex});
  return result;
}

void sync_directory(const std::filesystem::path& path) {
  unique_fd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!fd || ::fsync(fd.get()) != 0)
    throw std::system_error(errno, std::generic_category(),
                            "cannot sync " + path.string());
}

} // namespace greenroom::git
