#include "runtime/metrics/session_meter.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/session_paths.hpp"
#include "runtime/base/tree_size.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <utility>

namespace greenroom {

namespace fs = std::filesystem;

namespace {

/// A process as /proc/PID/stat has it.
struct process {
  pid_t pid = 0;
  pid_t parent = 0;
  std::uint64_t ticks = 0; // of processors, with those of ended children
};

std::optional<process> read_process(const fs::path& dir) {
  std::ifstream in{dir / "stat"};
  std::string line;
  std::getline(in, line);
  // The name before may hold anything.
  auto end = line.rfind(')');
  if (end == line.npos)
    return std::nullopt;
  std::istringstream fields{line.substr(end + 1)};
  process result;
  std::string skipped;
  fields >> skipped >> result.parent;
  for (int field = 5; field < 14; ++field)
    fields >> skipped;
  for (int field = 14; field <= 17; ++field) {
    std::int64_t ticks = 0;
    fields >> ticks;
    result.ticks +=
      static_cast<std::uint64_t>(std::max<std::int64_t>(ticks, 0));
  }
  return fields ? std::optional{result} : std::nullopt;
}

/// All below `top`, in one look at /proc.
std::vector<process> processes_below(pid_t top) {
  std::unordered_multimap<pid_t, process> by_parent;
  std::error_code error;
  for (auto& entry : fs::directory_iterator{"/proc", error}) {
    auto name = entry.path().filename().string();
    pid_t pid = 0;
    auto read = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (read.ec != std::errc{} || read.ptr != name.data() + name.size())
      continue;
    if (auto found = read_process(entry.path())) {
      found->pid = pid;
      by_parent.emplace(found->parent, *found);
    }
  }
  std::vector<process> result;
  std::vector<pid_t> parents{top};
  while (!parents.empty()) {
    auto [begin, end] = by_parent.equal_range(parents.back());
    parents.pop_back();
    for (auto i = begin; i != end; ++i) {
      result.push_back(i->second);
      parents.push_back(i->first == i->second.pid ? 0 : i->second.pid);
    }
    by_parent.erase(begin, end);
  }
  return result;
}

/// The number behind a word at the beginning of a line.
std::optional<std::uint64_t> number_after(const fs::path& file,
                                          std::string_view word) {
  std::ifstream in{file};
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(word)) {
      std::istringstream rest{line.substr(word.size())};
      std::uint64_t number = 0;
      if (rest >> number)
        return number;
    }
  return std::nullopt;
}

/// Its memory; what it shares with others counts in parts.
std::uint64_t memory_of(pid_t pid) {
  constexpr std::uint64_t kib = 1024;
  auto dir = fs::path{"/proc"} / std::to_string(pid);
  if (auto part = number_after(dir / "smaps_rollup", "Pss:"))
    return *part * kib;
  return number_after(dir / "status", "VmRSS:").value_or(0) * kib;
}

/// What a group has in memory, without files that can be dropped at once.
std::optional<std::uint64_t> memory_of_group(const fs::path& dir) {
  auto used = number_after(dir / "memory.current", "");
  auto cached = number_after(dir / "memory.stat", "inactive_file ");
  if (!used) {
    used = number_after(dir / "memory.usage_in_bytes", "");
    cached = number_after(dir / "memory.stat", "total_inactive_file ");
  }
  if (!used)
    return std::nullopt;
  return *used - std::min(*used, cached.value_or(0));
}

std::optional<std::uint64_t> cpu_ms_of_group(const fs::path& dir) {
  if (auto microseconds = number_after(dir / "cpu.stat", "usage_usec "))
    return *microseconds / 1000;
  if (auto nanoseconds = number_after(dir / "cpuacct.usage", ""))
    return *nanoseconds / 1'000'000;
  return std::nullopt;
}

/// Best effort: what is closed to us counts for nothing, and so does what a
/// link names.
disk_usage size_below(const fs::path& session_dir,
                      std::chrono::steady_clock::duration time) {
  // A descriptor each, of this node's.
  constexpr std::size_t max_depth = 200;
  auto until = std::chrono::steady_clock::now() + time;
  auto go_on = [until] { return std::chrono::steady_clock::now() < until; };
  tree_size found;
  unique_fd dir{::open(session_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  for (auto name : {"checkout", "home", "tmp"})
    if (dir && go_on())
      add_tree(found, dir.get(), name, max_depth, go_on);
    else
      found.whole = found.whole && !dir;
  return {found.bytes, found.files, found.whole};
}

} // namespace

session_usage session_meter::measure(const std::string& session_id) {
  session_usage result;
  result.measured_at = now_ms();
  std::uint64_t ticks = 0;
  if (auto runner = from_.runner(session_id))
    for (auto& one : processes_below(*runner)) {
      ++result.processes;
      ticks += one.ticks;
      result.memory += memory_of(one.pid);
    }
  result.cpu_ms =
    ticks * 1000 / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  for (auto& group : from_.groups(session_id)) {
    if (auto memory = memory_of_group(group))
      result.memory = *memory;
    if (auto time = cpu_ms_of_group(group))
      result.cpu_ms = *time;
  }
  result.disk = disk_of(session_id);
  return result;
}

disk_usage session_meter::disk_of(const std::string& session_id) {
  {
    std::lock_guard guard{mutex_};
    const auto now = clock::now();
    std::erase_if(disks_, [&](const auto& item) {
      return now - item.second.at >= kept_for && item.first != session_id;
    });
    auto& known = disks_.try_emplace(session_id).first->second;
    if (now - known.at < disk_age)
      return known.disk;
    if (std::exchange(walking_, true)) {
      auto last = known.disk;
      last.complete = false;
      return last;
    }
  }
  disk_usage disk;
  try {
    disk = size_below(session_dir(from_.data_dir, session_id), walk_time);
  } catch (...) {
    std::lock_guard guard{mutex_};
    walking_ = false;
    throw;
  }
  std::lock_guard guard{mutex_};
  walking_ = false;
  disks_[session_id] = {clock::now(), disk};
  return disk;
}

} // namespace greenroom
