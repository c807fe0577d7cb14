#include "runtime/runner/protocol/first_input.hpp"

#include "runtime/runner/protocol/session_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace greenroom::runner {

unique_fd take_first_input(int exec_dir) {
  auto fail = [](const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
  };
  unique_fd file{
    ::openat(exec_dir, input_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (!file) {
    if (errno != ENOENT)
      fail("the command's first input cannot be opened");
    return {};
  }
  if (::unlinkat(exec_dir, input_file, 0) == 0)
    return file;
  if (errno != ENOENT)
    fail("the command's first input cannot be taken");
  return {};
}

} // namespace greenroom::runner
