#include "runtime/git/mirror/pack_index.hpp"

#include "runtime/git/mirror/stoppable_git.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <system_error>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr const char* index_name = "multi-pack-index";

// Of the packs' own indexes, in which an object is some 30 bytes: to walk
// through fewer takes git no longer than to read a bitmap.
constexpr std::uintmax_t min_bytes = 128 * 1024;

// What may have come since: so many packs, or such a part of the whole.
constexpr std::size_t max_newer = 50;
constexpr std::uintmax_t max_newer_part = 4;

constexpr std::chrono::minutes index_timeout{10};
constexpr std::uint64_t index_memory = std::uint64_t{2} << 30;

bool is_due(const fs::path& packs) {
  std::error_code none; // then all packs are newer
  const auto made = fs::last_write_time(packs / index_name, none);
  std::uintmax_t bytes = 0;
  std::uintmax_t newer_bytes = 0;
  std::size_t newer = 0;
  for (const auto& entry : fs::directory_iterator{packs}) {
    if (entry.path().extension() != ".idx")
      continue;
    const auto size = entry.file_size();
    bytes += size;
    if (entry.last_write_time() <= made)
      continue;
    newer_bytes += size;
    ++newer;
  }
  return bytes >= min_bytes
         && (newer > max_newer || newer_bytes > bytes / max_newer_part);
}

} // namespace

bool index_packs(const fs::path& mirror, int stop_fd) {
  const auto packs = mirror / "objects/pack";
  if (!is_due(packs))
    return false;
  // Of one that was ended.
  fs::remove(packs / (std::string{index_name} + ".lock"));
  // Without -a and -d it packs what is in no pack, and removes nothing.
  server_git call{mirror,
                  {"-c", "pack.threads=1", "repack", "-q", "-n", "--write-midx",
                   "--write-bitmap-index"}};
  call.timeout = index_timeout;
  call.max_memory = index_memory;
  const auto result = run_until(call, stop_fd);
  if (result && !result->ok())
    throw std::runtime_error("cannot index the packs of " + mirror.string()
                             + ": " + reason(*result));
  return true;
}

} // namespace greenroom::git
