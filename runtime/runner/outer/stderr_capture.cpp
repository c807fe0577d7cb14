#include "runtime/runner/outer/stderr_capture.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace greenroom::runner {

namespace {

constexpr std::size_t room = 4096;

} // namespace

unique_fd capture_stderr() {
  unique_fd result{::memfd_create("stderr", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  if (!result || ::ftruncate(result.get(), room) != 0
      || ::fcntl(result.get(), F_ADD_SEALS, F_SEAL_GROW) != 0)
    throw std::system_error(errno, std::generic_category(),
                            "cannot make a memory file");
  return result;
}

std::string last_line_of(int file) {
  std::array<char, room> buffer;
  auto size = ::pread(file, buffer.data(), buffer.size(), 0);
  std::string text{buffer.data(),
                   static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
  // What was not written is NUL.
  text.resize(std::min(text.find('\0'), text.size()));
  while (text.ends_with('\n'))
    text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

} // namespace greenroom::runner
