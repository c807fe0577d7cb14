#include "runtime/base/memfd.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <system_error>

namespace greenroom::git {

unique_fd memfd(std::string_view text) {
  unique_fd fd{::memfd_create("greenroom-git", MFD_CLOEXEC)};
  auto whole = static_cast<bool>(fd);
  while (whole && !text.empty()) {
    auto done = ::write(fd.get(), text.data(), text.size());
    whole = done > 0;
    if (whole)
      text.remove_prefix(static_cast<std::size_t>(done));
  }
  if (!whole || ::lseek(fd.get(), 0, SEEK_SET) != 0)
    throw std::system_error(errno, std::generic_category(),
                            "cannot make a file in memory");
  return fd;
}

} // namespace greenroom::git
