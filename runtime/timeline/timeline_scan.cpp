#include "runtime/timeline/timeline_scan.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>

namespace greenroom {

void throw_errno(const char* what, const std::filesystem::path& path) {
  throw std::system_error(errno, std::generic_category(),
                          std::string{what} + " \"" + path.string() + '"');
}

unique_fd open_if_there(const std::filesystem::path& path, int flags) {
  unique_fd result{::open(path.c_str(), flags | O_CLOEXEC, 0600)};
  if (!result && errno != ENOENT)
    throw_errno("cannot open", path);
  return result;
}

std::uint64_t file_size(int fd) {
  struct stat info;
  if (::fstat(fd, &info) != 0)
    throw_errno("cannot stat", timeline_name);
  return static_cast<std::uint64_t>(info.st_size);
}

std::size_t read_at(int fd, std::uint64_t offset, std::span<char> out) {
  // A damaged index may name any place; none has bytes behind the largest.
  if (offset > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max()))
    return 0;
  std::size_t done = 0;
  while (done < out.size()) {
    auto n = ::pread(fd, out.data() + done, out.size() - done,
                     static_cast<off_t>(offset + done));
    if (n == 0)
      break;
    if (n > 0)
      done += static_cast<std::size_t>(n);
    else if (errno != EINTR)
      throw_errno("cannot read", timeline_name);
  }
  return done;
}

std::optional<std::uint64_t> index_entry(int index, std::uint64_t number) {
  std::uint64_t result = 0;
  std::span bytes{reinterpret_cast<char*>(&result), sizeof result};
  if (read_at(index, (number - 1) * sizeof result, bytes) != sizeof result)
    return std::nullopt;
  return result;
}

std::optional<std::uint64_t> base_of(int timeline) {
  constexpr std::size_t part = 4096;
  auto first = timeline_scan{timeline, 0, 0, part}.next();
  if (!first || first->entry.id.seq == 0)
    return std::nullopt;
  return first->entry.id.seq - 1;
}

std::optional<timeline_record> timeline_scan::next() {
  auto size = claimed_record_size(fill(record_header_size));
  if (size == 0)
    return std::nullopt;
  auto record = read_record(fill(size));
  if (!record || (next_seq_ != 0 && record->entry.id.seq != next_seq_))
    return std::nullopt;
  next_seq_ = record->entry.id.seq + 1;
  offset_ += record->size;
  used_ += record->size;
  return record;
}

// What is buffered from the present offset on: at least `size` bytes unless
// the file ends before.
std::string_view timeline_scan::fill(std::size_t size) {
  auto rest = buffer_.size() - used_;
  if (rest < size) {
    buffer_.erase(0, used_);
    used_ = 0;
    buffer_.resize(std::max(size, chunk_));
    rest += read_at(fd_, offset_ + rest, std::span{buffer_}.subspan(rest));
    buffer_.resize(rest);
  }
  return std::string_view{buffer_}.substr(used_);
}

} // namespace greenroom
