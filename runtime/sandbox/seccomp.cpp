#include "runtime/sandbox/seccomp.hpp"

#include "runtime/base/fd.hpp"

#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

namespace greenroom::sandbox {

namespace {

constexpr std::array refused{
  // New mounts and namespaces, and ways into those of others.
  SCMP_SYS(mount), SCMP_SYS(umount), SCMP_SYS(umount2), SCMP_SYS(pivot_root),
  SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(open_by_handle_at),
  // The kernel's keys know no namespace.
  SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key),
  // Doors into the kernel that development does not need.
  SCMP_SYS(perf_event_open), SCMP_SYS(bpf), SCMP_SYS(userfaultfd),
  SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load)};

// clone3 and socketcall have in memory what matters, where no filter can look
// at it; for the former everybody falls back to clone.
constexpr std::array unknown{SCMP_SYS(clone3),
                             SCMP_SYS(open_tree),
                             SCMP_SYS(move_mount),
                             SCMP_SYS(fsopen),
                             SCMP_SYS(fsconfig),
                             SCMP_SYS(fsmount),
                             SCMP_SYS(fspick),
                             SCMP_SYS(mount_setattr),
                             SCMP_SYS(io_uring_setup),
                             SCMP_SYS(io_uring_enter),
                             SCMP_SYS(io_uring_register),
                             SCMP_SYS(socketcall)};

// In order; see seccomp.hpp.
constexpr std::array allowed_families{AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6,
                                      AF_NETLINK};

void check(int result) {
  if (result < 0)
    throw std::system_error(-result, std::generic_category(),
                            "cannot make the seccomp filter");
}

struct release {
  void operator()(void* filter) const noexcept {
    ::seccomp_release(filter);
  }
};

void add_sibling(scmp_filter_ctx filter) {
  switch (::seccomp_arch_native()) {
    case SCMP_ARCH_X86_64:
      check(::seccomp_arch_add(filter, SCMP_ARCH_X86));
      break;
    case SCMP_ARCH_AARCH64:
      check(::seccomp_arch_add(filter, SCMP_ARCH_ARM));
      break;
    default:
      break;
  }
}

// The kernel looks at the lower half of these arguments only, so the filter
// has to do the same.
constexpr scmp_datum_t low_half = 0xffffffff;

// A filter can compare with one number at a time, so each family in between is
// refused by itself. What has upper bits set is above all of them.
void add_family_rules(scmp_filter_ctx filter, int call) {
  constexpr auto no_family = SCMP_ACT_ERRNO(EAFNOSUPPORT);
  for (int family = 0; family < allowed_families.back(); ++family)
    if (std::ranges::find(allowed_families, family) == allowed_families.end())
      check(::seccomp_rule_add(
        filter, no_family, call, 1,
        SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family))));
  check(::seccomp_rule_add(
    filter, no_family, call, 1,
    SCMP_A0(SCMP_CMP_GT, static_cast<scmp_datum_t>(allowed_families.back()))));
}

void add_rules(scmp_filter_ctx filter) {
  constexpr auto eperm = SCMP_ACT_ERRNO(EPERM);
  constexpr auto enosys = SCMP_ACT_ERRNO(ENOSYS);
  for (auto call : refused)
    check(::seccomp_rule_add(filter, eperm, call, 0));
  for (auto call : unknown)
    check(::seccomp_rule_add(filter, enosys, call, 0));
  check(::seccomp_rule_add(
    filter, eperm, SCMP_SYS(clone), 1,
    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER)));
  for (auto call : {SCMP_SYS(socket), SCMP_SYS(socketpair)})
    add_family_rules(filter, call);
  for (scmp_datum_t request : {TIOCSTI, TIOCLINUX})
    check(::seccomp_rule_add(filter, eperm, SCMP_SYS(ioctl), 1,
                             SCMP_A1(SCMP_CMP_MASKED_EQ, low_half, request)));
}

} // namespace

std::string seccomp_program() {
  std::unique_ptr<void, release> filter{::seccomp_init(SCMP_ACT_ALLOW)};
  if (!filter)
    check(-ENOMEM);
  check(::seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH,
                           SCMP_ACT_ERRNO(ENOSYS)));
  add_sibling(filter.get());
  add_rules(filter.get());

  unique_fd file{::memfd_create("seccomp", MFD_CLOEXEC)};
  if (!file)
    check(-errno);
  check(::seccomp_export_bpf(filter.get(), file.get()));
  auto size = ::lseek(file.get(), 0, SEEK_END);
  std::string program(static_cast<std::size_t>(size), '\0');
  if (::pread(file.get(), program.data(), program.size(), 0) != size)
    check(-EIO);
  return program;
}

} // namespace greenroom::sandbox
