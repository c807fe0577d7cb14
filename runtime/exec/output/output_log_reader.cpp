#include "runtime/base/injected_faults.hpp"
#include "runtime/exec/output/output_index.hpp"
#include "runtime/exec/output/output_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace greenroom {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(const char* what, const fs::path& path) {
  throw std::system_error(errno, std::generic_category(),
                          std::string{what} + " \"" + path.string() + '"');
}

// False where there is no such file yet.
bool open_once(unique_fd& file, const fs::path& path, int flags) {
  if (file)
    return true;
  file.reset(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW));
  if (!file && errno != ENOENT)
    fail("cannot open", path);
  return static_cast<bool>(file);
}

std::uint64_t size_of(int fd, const fs::path& path) {
  struct stat info;
  if (::fstat(fd, &info) != 0)
    fail("cannot stat", path);
  return static_cast<std::uint64_t>(info.st_size);
}

std::size_t read_at(int fd, std::uint64_t offset, std::span<char> out,
                    const fs::path& path) {
  if (auto error = injected_fault("pread")) {
    errno = error;
    fail("cannot read", path);
  }
  std::size_t done = 0;
  while (done < out.size()) {
    auto n = ::pread(fd, out.data() + done, out.size() - done,
                     static_cast<off_t>(offset + done));
    if (n == 0)
      break;
    if (n > 0)
      done += static_cast<std::size_t>(n);
    else if (errno != EINTR)
      fail("cannot read", path);
  }
  return done;
}

void cut(const fs::path& path, std::uint64_t size) {
  if (::truncate(path.c_str(), static_cast<off_t>(size)) != 0
      && errno != ENOENT)
    fail("cannot truncate", path);
}

} // namespace

output_log_reader::output_log_reader(fs::path dir) : dir_(std::move(dir)) {}

std::vector<output_record> output_log_reader::records(std::uint64_t from,
                                                      std::size_t max) const {
  auto path = dir_ / output_index_file;
  if (!open_once(index_, path, O_RDONLY))
    return {};
  // The index says how much there is, so that a large `max` costs nothing.
  auto there = size_of(index_.get(), path) / sizeof(index_entry);
  if (from >= there)
    return {};
  std::vector<index_entry> entries(
    static_cast<std::size_t>(std::min<std::uint64_t>(there - from, max)));
  auto bytes = read_at(index_.get(), from * sizeof(index_entry),
                       {reinterpret_cast<char*>(entries.data()),
                        entries.size() * sizeof(index_entry)},
                       path);
  entries.resize(bytes / sizeof(index_entry));
  std::vector<output_record> result;
  result.reserve(entries.size());
  std::array<std::uint64_t, output_streams> sizes{};
  for (const auto& entry : entries) {
    auto record = from_entry(entry);
    if (!record)
      break;
    // After a power cut the index may know of bytes that are not there.
    auto& known = sizes[static_cast<std::size_t>(record->stream)];
    auto end = record->offset + record->length;
    if (end > known && end > (known = size(record->stream)))
      break;
    result.push_back(*record);
  }
  return result;
}

std::size_t output_log_reader::read(output_stream stream, std::uint64_t offset,
                                    std::span<char> out) const {
  auto& file = files_[static_cast<std::size_t>(stream)];
  auto path = dir_ / name(stream);
  if (!open_once(file, path, O_RDONLY))
    return 0;
  return read_at(file.get(), offset, out, path);
}

std::uint64_t output_log_reader::size(output_stream stream) const {
  auto& file = files_[static_cast<std::size_t>(stream)];
  auto path = dir_ / name(stream);
  return open_once(file, path, O_RDONLY) ? size_of(file.get(), path) : 0;
}

void output_log_reader::close() noexcept {
  index_.reset();
  for (auto& file : files_)
    file.reset();
}

std::uint64_t output_log_reader::count() const {
  auto path = dir_ / output_index_file;
  if (!open_once(index_, path, O_RDONLY))
    return 0;
  return size_of(index_.get(), path) / sizeof(index_entry);
}

bool output_log_reader::is_damaged_at(std::uint64_t number) const {
  if (number >= count())
    return false;
  index_entry entry;
  std::span bytes{reinterpret_cast<char*>(&entry), sizeof entry};
  return read_at(index_.get(), number * sizeof entry, bytes,
                 dir_ / output_index_file)
           == sizeof entry
         && !from_entry(entry);
}

std::optional<std::array<std::uint64_t, output_streams>>
output_log_reader::bytes_in(std::uint64_t count) const {
  constexpr std::uint64_t step = 256;
  constexpr std::uint64_t longest_look = 8192;
  std::array<std::uint64_t, output_streams> result{};
  std::array<std::uint64_t, output_streams> sizes{};
  std::array<bool, output_streams> known{};
  for (std::size_t i = 0; i < output_streams; ++i) {
    sizes[i] = size(static_cast<output_stream>(i));
    known[i] = sizes[i] == 0;
  }
  auto path = dir_ / output_index_file;
  if (count == 0 || !open_once(index_, path, O_RDONLY))
    return result;
  std::array<index_entry, step> entries;
  for (auto end = count; end > 0 && std::ranges::count(known, false) != 0;) {
    if (count - end > longest_look)
      return std::nullopt;
    auto begin = end - std::min(end, step);
    std::span wanted{entries.data(), static_cast<std::size_t>(end - begin)};
    auto bytes = read_at(
      index_.get(), begin * sizeof(index_entry),
      {reinterpret_cast<char*>(wanted.data()), wanted.size_bytes()}, path);
    if (bytes != wanted.size_bytes())
      return std::nullopt;
    for (auto i = wanted.size(); i-- > 0;) {
      auto record = from_entry(wanted[i]);
      if (!record)
        return std::nullopt;
      auto stream = static_cast<std::size_t>(record->stream);
      if (std::exchange(known[stream], true))
        continue;
      result[stream] = record->offset + record->length;
      if (result[stream] > sizes[stream])
        return std::nullopt;
    }
    end = begin;
  }
  return result;
}

std::uint64_t recover_output_log(const fs::path& dir) {
  constexpr std::size_t batch = 1024;
  output_log_reader reader{dir};
  std::array<std::uint64_t, output_streams> ends{};
  std::uint64_t count = 0;
  for (bool more = true; more;) {
    auto records = reader.records(count, batch);
    more = records.size() == batch;
    for (const auto& record : records) {
      auto& end = ends[static_cast<std::size_t>(record.stream)];
      // A record from elsewhere in the stream is no record of this log.
      if (record.offset != end) {
        more = false;
        break;
      }
      end += record.length;
      ++count;
    }
  }
  if (reader.is_damaged_at(count))
    return reader.count();
  cut(dir / output_index_file, count * sizeof(index_entry));
  for (std::size_t i = 0; i < output_streams; ++i)
    cut(dir / name(static_cast<output_stream>(i)), ends[i]);
  return count;
}

} // namespace greenroom
