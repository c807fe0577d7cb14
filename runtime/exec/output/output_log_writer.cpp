#include "runtime/exec/output/output_index.hpp"
#include "runtime/exec/output/output_log.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>

namespace greenroom {

namespace {

// Opens `name` in `dir` unless it is open. False where that fails.
bool open_once(unique_fd& file, int dir, std::string_view name) noexcept {
  if (!file)
    file.reset(::openat(dir, std::string{name}.c_str(),
                        O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  return static_cast<bool>(file);
}

// Writes as much as the file takes and returns how much that was. Positions
// are explicit, so that what a failed attempt left is overwritten by the next.
std::size_t write_at(int fd, std::uint64_t offset,
                     std::span<const char> data) noexcept {
  std::size_t done = 0;
  while (done < data.size()) {
    auto n = ::pwrite(fd, data.data() + done, data.size() - done,
                      static_cast<off_t>(offset + done));
    if (n > 0)
      done += static_cast<std::size_t>(n);
    else if (n == 0 || errno != EINTR)
      break;
  }
  return done;
}

} // namespace

std::string_view name(output_stream stream) noexcept {
  constexpr std::array<std::string_view, output_streams> names{"stdout",
                                                               "stderr", "tty"};
  return names[static_cast<std::size_t>(stream)];
}

output_log_writer::output_log_writer(int dir, std::uint64_t cap) noexcept
  : dir_(dir), room_(cap),
    most_records_(cap / sizeof(index_entry)
                  + (std::uint64_t{1} << 20) / sizeof(index_entry)) {}

output_log_writer::stream_state&
output_log_writer::state(output_stream stream) noexcept {
  return streams_[static_cast<std::size_t>(stream)];
}

std::uint64_t output_log_writer::printed(output_stream stream) const noexcept {
  return streams_[static_cast<std::size_t>(stream)].printed;
}

void output_log_writer::append(output_stream stream, std::span<const char> data,
                               unix_ms now) {
  constexpr std::size_t longest = std::numeric_limits<std::uint32_t>::max();
  for (; data.size() > longest; data = data.subspan(longest))
    append(stream, data.first(longest), now);
  if (data.empty())
    return;
  auto& self = state(stream);
  self.printed += data.size();
  auto kept = data.first(store(stream, data));
  if (!kept.empty() && record(stream, kept, now)) {
    self.kept += kept.size();
    room_ -= kept.size();
    data = data.subspan(kept.size());
  }
  if (data.empty())
    return;
  truncated_ = true;
  self.lost += data.size();
  // One record tells of a gap while it grows; the bytes behind the gap, or
  // the end, tell how long it was.
  if (!self.loss_known)
    self.loss_known = record(stream, {}, now);
}

void output_log_writer::finish(unix_ms now) {
  for (std::size_t i = 0; i < output_streams; ++i)
    if (streams_[i].lost > 0)
      record(static_cast<output_stream>(i), {}, now);
}

// Writes what the cap allows behind the stream's kept bytes; returns how much
// is on disk.
std::size_t output_log_writer::store(output_stream stream,
                                     std::span<const char> data) {
  if (records_ >= most_records_)
    return 0;
  auto& self = state(stream);
  auto size =
    static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), room_));
  if (size == 0 || !open_once(self.file, dir_, name(stream)))
    return 0;
  return write_at(self.file.get(), self.kept, data.first(size));
}

// Writes a record of `data`, which lies behind the kept bytes, and of what was
// lost before it.
bool output_log_writer::record(output_stream stream, std::span<const char> data,
                               unix_ms now) {
  if (!open_once(index_, dir_, output_index_file))
    return false;
  auto& self = state(stream);
  auto entry =
    to_entry({now, stream, self.kept, static_cast<std::uint32_t>(data.size()),
              self.lost, output_checksum(data)});
  std::span bytes{reinterpret_cast<const char*>(&entry), sizeof entry};
  if (write_at(index_.get(), records_ * sizeof entry, bytes) != sizeof entry)
    return false;
  ++records_;
  self.lost = 0;
  if (!data.empty())
    self.loss_known = false;
  return true;
}

} // namespace greenroom
