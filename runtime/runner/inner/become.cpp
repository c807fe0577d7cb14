#include "runtime/runner/inner/become.hpp"

#include "runtime/base/home_environment.hpp"
#include "runtime/base/session_user.hpp"
#include "runtime/base/throw_errno.hpp"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>

namespace greenroom::runner {

namespace {

void change_user() {
  constexpr auto user = static_cast<uid_t>(user_inside);
  if (::setgroups(0, nullptr) != 0 || ::setresgid(user, user, user) != 0
      || ::setresuid(user, user, user) != 0)
    throw_errno("the session's user cannot be had");
}

// The bounding set first, which takes a capability to make smaller.
void drop_capabilities() {
  for (unsigned long number = 0; ::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) == 0;
       ++number) {
  }
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0
      || ::syscall(SYS_capset, &head, none.data()) != 0)
    throw_errno("capabilities cannot be dropped");
}

} // namespace

void become_session_user() {
  if (::getuid() == static_cast<uid_t>(user_inside))
    return;
  change_user();
  drop_capabilities();
  // Another user forgets it.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
    throw_errno("the sandbox cannot be bound to its runner");
  if (::mkdir(runtime_dir_in_sandbox, 0700) != 0 && errno != EEXIST)
    throw_errno("the session's runtime directory cannot be made");
}

void become_session_user_and_run(const char* directory, char** argv) noexcept {
  try {
    ::close_range(STDERR_FILENO + 1, ~0u, 0);
    become_session_user();
    if (::chdir(directory) != 0)
      throw_errno(directory);
    ::setenv("PWD", directory, 1);
    ::execvp(argv[0], argv);
    std::fprintf(stderr, "greenroom-runner: %s: %s\n", argv[0],
                 std::strerror(errno));
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "greenroom-runner: %s\n", problem.what());
  }
  ::_exit(1);
}

} // namespace greenroom::runner
