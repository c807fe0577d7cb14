// The system calls that a session may not make.
//
// The namespaces already confine a session; this takes away what could be
// used against them: making new namespaces and mounts, kernel keys, bpf and
// its like, io_uring, which goes past every filter, and typing into somebody's
// terminal. Calls that programs have a second way for fail with ENOSYS, so that
// they take it; the others with EPERM. Sockets can be made of the families
// UNIX, INET, INET6 and NETLINK; the others fail with EAFNOSUPPORT, since few
// know namespaces (VSOCK joins all sessions of a host) and many are little
// tested. ptrace stays: debuggers and leak checkers need it, and it reaches
// nothing outside of the pid namespace.
//
// On x86-64 and arm64 the 32-bit sibling has the same rules; any other
// architecture's calls, x32 included, fail with ENOSYS. So does socketcall,
// whose arguments no filter can see: programs for i386 whose C library has no
// other way get no sockets.
#pragma once

#include <string>

namespace greenroom::sandbox {

/// A BPF program as bwrap's --seccomp takes it, for this machine. Throws
/// std::system_error.
std::string seccomp_program();

} // namespace greenroom::sandbox
