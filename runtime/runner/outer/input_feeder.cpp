#include "runtime/runner/outer/input_feeder.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>

namespace greenroom::runner {

input_feeder::progress input_feeder::write_some(int to) {
  // One for all: what is read is written, or read again.
  static std::array<char, 64 * 1024> buffer;
  auto size = ::pread(text_.get(), buffer.data(), buffer.size(), written_);
  if (size == 0)
    return progress::done;
  if (size < 0)
    return errno == EINTR ? progress::more : progress::lost;
  auto taken = ::write(to, buffer.data(), static_cast<std::size_t>(size));
  if (taken < 0)
    return errno == EAGAIN || errno == EINTR ? progress::more : progress::done;
  written_ += taken;
  return progress::more;
}

} // namespace greenroom::runner
