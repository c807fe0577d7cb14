#include "runtime/git/inside/hashed_contents.hpp"

#include "runtime/base/files.hpp"
#include "runtime/base/hex.hpp"

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <optional>
#include <sstream>
#include <system_error>
#include <tuple>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr const char* memory_file = "greenroom-lfs";
constexpr const char* what_it_is = "keep files of Git LFS";

/// What the file system says of a file that is the same; only root can set the
/// time of its last change.
using identity = std::tuple<std::uint64_t, std::uint64_t, std::int64_t,
                            std::int64_t, std::int64_t, std::int64_t>;

std::optional<identity> identity_of(const fs::path& file) {
  struct stat info {};
  if (::lstat(file.c_str(), &info) != 0)
    return std::nullopt;
  return identity{info.st_ino,         static_cast<std::uint64_t>(info.st_size),
                  info.st_mtim.tv_sec, info.st_mtim.tv_nsec,
                  info.st_ctim.tv_sec, info.st_ctim.tv_nsec};
}

struct remembered {
  identity of;
  std::string id; // of the object
};

// By the files' names, which Git LFS has made of their contents.
using memory = std::map<std::string, remembered>;

std::string text_of(const fs::path& file) {
  try {
    return read_file(file).value_or("");
  } catch (const std::system_error&) {
    return {};
  }
}

memory read_memory(const fs::path& file) {
  memory result;
  std::istringstream text{text_of(file)};
  std::string name;
  remembered one;
  while (text >> name >> std::get<0>(one.of) >> std::get<1>(one.of)
         >> std::get<2>(one.of) >> std::get<3>(one.of) >> std::get<4>(one.of)
         >> std::get<5>(one.of) >> one.id)
    if (is_hex(one.id, 40))
      result.insert_or_assign(name, one);
  return result;
}

// Whoever has no room for it hashes again.
void write_memory(const fs::path& file, const memory& all) {
  std::ostringstream text;
  for (const auto& [name, one] : all) {
    text << name;
    std::apply([&](auto... part) { ((text << ' ' << part), ...); }, one.of);
    text << ' ' << one.id << '\n';
  }
  try {
    write_file_atomic(file, text.view(), 0600, false);
  } catch (const std::system_error&) {
    return;
  }
}

// Forgets those whose objects are not there any more.
void keep_existing(const repo& in, memory& all) {
  if (all.empty())
    return;
  std::string ids;
  for (const auto& [name, one] : all)
    ids += one.id + '\n';
  auto told = in.run({{"cat-file", "--batch-check=%(objecttype)"}, ids});
  auto kinds = told.ok() ? split(told.out, '\n') : std::vector<std::string>{};
  kinds.resize(all.size());
  auto kind = kinds.begin();
  std::erase_if(all, [&](const auto&) { return *kind++ != "blob"; });
}

std::vector<std::string> hash(const repo& in,
                              const std::vector<fs::path>& files) {
  if (files.empty())
    return {};
  std::string paths;
  for (const auto& file : files)
    paths += file.string() + '\n';
  auto ids = split(
    in.ask({{"hash-object", "-w", "--no-filters", "--stdin-paths"}, paths},
           what_it_is),
    '\n');
  ids.resize(files.size());
  return ids;
}

} // namespace

std::vector<std::string> hash_contents(const repo& in, const repo::facts& at,
                                       const std::vector<fs::path>& files) {
  // Looked at before they are read: one that changes meanwhile is another.
  std::map<std::string, identity> now;
  for (const auto& file : files)
    if (auto found = identity_of(file))
      now.emplace(file.filename().string(), *found);
  auto known = read_memory(at.common / memory_file);
  std::erase_if(known, [&](const auto& entry) {
    auto found = now.find(entry.first);
    return found == now.end() || found->second != entry.second.of;
  });
  keep_existing(in, known);
  std::vector<fs::path> unknown;
  for (const auto& file : files)
    if (!known.contains(file.filename().string()))
      unknown.push_back(file);
  const auto made = hash(in, unknown);
  for (std::size_t i = 0; i < unknown.size(); ++i) {
    auto name = unknown[i].filename().string();
    if (auto found = now.find(name); found != now.end())
      known.insert_or_assign(name, remembered{found->second, made[i]});
  }
  if (!unknown.empty())
    write_memory(at.common / memory_file, known);
  std::vector<std::string> result;
  auto next = made.begin();
  auto fresh = unknown.begin();
  for (const auto& file : files)
    if (fresh != unknown.end() && *fresh == file) {
      result.push_back(*next++);
      ++fresh;
    } else {
      result.push_back(known.at(file.filename().string()).id);
    }
  return result;
}

} // namespace greenroom::git
