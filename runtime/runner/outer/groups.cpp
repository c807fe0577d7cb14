#include "runtime/runner/outer/groups.hpp"

#include "runtime/base/fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace greenroom::runner {

void enter_groups(const std::vector<std::string>& directories) {
  for (const auto& directory : directories) {
    auto path = directory + "/cgroup.procs";
    unique_fd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    // 0 is whoever writes it.
    if (!file || ::write(file.get(), "0", 1) < 0)
      throw std::system_error(errno, std::generic_category(),
                              "cannot enter \"" + directory + '"');
  }
}

} // namespace greenroom::runner
