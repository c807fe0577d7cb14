#include "runtime/disk/disk_reserve.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/injected_faults.hpp"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

namespace greenroom {

namespace {

constexpr std::size_t probe_size = 64 * 1024;
constexpr std::uint64_t parts = 4;

// Of a session that begins, without its checkout: what ends others needs fewer.
constexpr std::uint64_t min_inodes = 64;

constexpr const char* probe_file = "probe";

std::uint64_t size_of(const std::filesystem::path& file) {
  struct stat info {};
  return ::stat(file.c_str(), &info) == 0
           ? static_cast<std::uint64_t>(info.st_size)
           : 0;
}

// Tries to write as much as a few events need; returns an errno.
int probe(const std::filesystem::path& file) {
  if (auto error = injected_fault("probe"))
    return error;
  unique_fd fd{
    ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  if (!fd)
    return errno;
  const std::vector<char> zeros(probe_size);
  auto written = ::pwrite(fd.get(), zeros.data(), zeros.size(), 0);
  auto error = written < 0 ? errno : 0;
  if (written >= 0 && static_cast<std::size_t>(written) < zeros.size())
    error = ENOSPC;
  [[maybe_unused]] auto emptied = ::ftruncate(fd.get(), 0);
  return error;
}

} // namespace

disk_reserve::disk_reserve(std::filesystem::path data_dir)
  : dir_(std::move(data_dir)), file_(dir_ / "reserve") {}

std::uint64_t disk_reserve::wanted_size() const {
  struct statvfs info {};
  if (::statvfs(dir_.c_str(), &info) != 0)
    return 0;
  return std::min(max_size, info.f_blocks * info.f_frsize / 16);
}

std::uint64_t disk_reserve::room() const {
  struct statvfs info {};
  return ::statvfs(dir_.c_str(), &info) == 0
           ? std::uint64_t{info.f_bavail} * info.f_frsize
           : 0;
}

bool disk_reserve::lacks_inodes() const {
  if (injected_fault("inodes") != 0)
    return true;
  struct statvfs info {};
  // Some file systems make them as they go, and count none.
  return ::statvfs(dir_.c_str(), &info) == 0 && info.f_files != 0
         && info.f_favail < min_inodes;
}

bool disk_reserve::spend() const {
  auto part = wanted_size() / parts;
  auto left = size_of(file_);
  if (left == 0 || part == 0 || room() >= part)
    return false;
  spdlog::warn("the disk is full, {} KiB of its reserve are given up",
               std::min(part, left) / 1024);
  return ::truncate(file_.c_str(),
                    static_cast<off_t>(left - std::min(part, left)))
         == 0;
}

std::int64_t disk_reserve::last_check() const {
  struct stat info {};
  if (::stat((dir_ / probe_file).c_str(), &info) != 0)
    return 0;
  return std::int64_t{info.st_mtim.tv_sec} * 1000
         + info.st_mtim.tv_nsec / 1'000'000;
}

std::string disk_reserve::check() const {
  if (auto error = probe(dir_ / probe_file))
    return error == ENOSPC || error == EDQUOT
             ? "the disk is full"
             : "the disk cannot be written ("
                 + std::generic_category().message(error) + ')';
  fill();
  if (lacks_inodes())
    return "the disk has no room for more files: its inodes are used up";
  // What was given up is no room for anything else.
  auto wanted = wanted_size();
  auto has = size_of(file_);
  return has < wanted && room() < wanted - has ? "the disk is full" : "";
}

void disk_reserve::fill() const {
  auto wanted = wanted_size();
  auto has = size_of(file_);
  if (has >= wanted || room() < 4 * wanted)
    return;
  unique_fd fd{::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
  // Where it cannot be had it is tried again at the next check.
  if (fd)
    ::posix_fallocate(fd.get(), 0, static_cast<off_t>(wanted));
}

} // namespace greenroom
