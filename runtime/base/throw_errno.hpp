// What a failed system call becomes.
#pragma once

#include <cerrno>
#include <string>
#include <system_error>

namespace greenroom {

/// Throws what `errno` says now, with what was being done.
[[noreturn]] inline void throw_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

} // namespace greenroom
