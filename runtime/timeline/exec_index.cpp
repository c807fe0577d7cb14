#include "runtime/timeline/exec_index.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/timeline/timeline_scan.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <utility>

namespace greenroom {

namespace {

constexpr std::size_t record_size = max_exec_id + 16;

void append_word(std::string& out, std::uint64_t number) {
  for (int shift = 0; shift < 64; shift += 8)
    out += static_cast<char>(number >> shift);
}

std::uint64_t number_at(std::string_view bytes, std::size_t offset) {
  std::uint64_t result = 0;
  for (std::size_t i = 0; i < 8; ++i)
    result |= std::uint64_t{static_cast<unsigned char>(bytes[offset + i])}
              << (8 * i);
  return result;
}

std::uint32_t mark_of(std::string_view exec_id) {
  return static_cast<std::uint32_t>(std::hash<std::string_view>{}(exec_id));
}

std::string to_record(const archived_exec& exec) {
  auto result = exec.exec_id;
  result.resize(max_exec_id, '\0');
  append_word(result, exec.queued);
  append_word(result, exec.exited);
  return result;
}

archived_exec from_record(std::string_view bytes) {
  auto id = bytes.substr(0, max_exec_id);
  return {std::string{id.substr(0, id.find('\0'))},
          number_at(bytes, max_exec_id), number_at(bytes, max_exec_id + 8)};
}

} // namespace

exec_index::exec_index(const std::filesystem::path& session_dir)
  : path_((session_dir / "execs.index").string()) {}

void exec_index::add(archived_exec exec) {
  unwritten_.push_back(std::move(exec));
  std::string text;
  for (auto& each : unwritten_)
    text += to_record(each);
  unique_fd file{
    ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file)
    return;
  // A part that was written does not count and is written over.
  auto written = ::pwrite(file.get(), text.data(), text.size(),
                          static_cast<off_t>(marks_.size() * record_size));
  if (written != static_cast<ssize_t>(text.size()))
    return;
  for (auto& each : unwritten_)
    marks_.push_back(mark_of(each.exec_id));
  unwritten_.clear();
}

std::vector<archived_exec> exec_index::all() const {
  std::vector<archived_exec> result;
  result.reserve(marks_.size() + unwritten_.size());
  if (auto file = open_if_there(path_, O_RDONLY); file && !marks_.empty()) {
    std::string text(marks_.size() * record_size, '\0');
    text.resize(read_at(file.get(), 0, text));
    for (std::string_view rest{text}; rest.size() >= record_size;
         rest.remove_prefix(record_size))
      result.push_back(from_record(rest));
  }
  result.insert(result.end(), unwritten_.begin(), unwritten_.end());
  return result;
}

std::optional<archived_exec> exec_index::find(std::string_view exec_id) const {
  auto fresh = std::ranges::find(unwritten_, exec_id, &archived_exec::exec_id);
  if (fresh != unwritten_.end())
    return *fresh;
  auto mark = mark_of(exec_id);
  unique_fd file;
  for (auto at = marks_.begin();
       (at = std::find(at, marks_.end(), mark)) != marks_.end(); ++at) {
    if (!file)
      file = open_if_there(path_, O_RDONLY);
    std::string text(record_size, '\0');
    auto offset = static_cast<std::uint64_t>(at - marks_.begin()) * record_size;
    if (!file || read_at(file.get(), offset, text) < record_size)
      return std::nullopt;
    if (auto found = from_record(text); found.exec_id == exec_id)
      return found;
  }
  return std::nullopt;
}

} // namespace greenroom
