#include "runtime/git/inside/lfs.hpp"

#include "runtime/git/inside/staging.hpp"

#include <algorithm>
#include <map>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr const char* what_looking_is = "look for files of Git LFS";
constexpr std::size_t max_pointer = 1024;
constexpr std::string_view first_line =
  "version https://git-lfs.github.com/spec/v1\n";

std::string oid_of(std::string_view pointer) {
  constexpr std::string_view mark = "\noid sha256:";
  auto at = pointer.find(mark);
  if (!pointer.starts_with(first_line) || at == pointer.npos)
    return {};
  auto oid = std::string{pointer.substr(at + mark.size(), 64)};
  return oid.size() == 64
             && oid.find_first_not_of("0123456789abcdef") == oid.npos
           ? oid
           : std::string{};
}

std::uint64_t size_of(std::string_view pointer) {
  constexpr std::string_view mark = "\nsize ";
  auto at = pointer.find(mark);
  if (at == pointer.npos)
    return 0;
  return std::strtoull(
    std::string{pointer.substr(at + mark.size(), 20)}.c_str(), nullptr, 10);
}

// Paths by the ids of objects that may be pointers.
std::map<std::string, std::string>
small_files(const repo& in, const std::vector<std::string>& tips,
            const std::vector<std::string>& known) {
  // Of a partial clone not all is here, and no more of it is fetched.
  git_call list{{"rev-list", "--objects", "--missing=allow-any", "--stdin"}};
  for (const auto& tip : tips)
    list.input += tip + '\n';
  for (const auto& commit : known)
    list.input += '^' + commit + '\n';
  std::map<std::string, std::string> paths;
  std::string ids;
  for (const auto& line : split(in.ask(list, what_looking_is), '\n'))
    if (auto space = line.find(' '); space == 40 && line.size() > 41) {
      paths.emplace(line.substr(0, 40), line.substr(41));
      ids += line.substr(0, 40) + '\n';
    }
  if (ids.empty())
    return {};
  auto told = in.ask(
    {{"cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)"},
     ids},
    what_looking_is);
  std::map<std::string, std::string> result;
  for (const auto& line : split(told, '\n'))
    if (line.compare(40, 6, " blob ") == 0
        && std::strtoull(line.c_str() + 46, nullptr, 10) <= max_pointer)
      result.emplace(line.substr(0, 40), paths[line.substr(0, 40)]);
  return result;
}

// As git-lfs finds it.
fs::path lfs_store_of(const repo& in, const repo::facts& at) {
  auto storage =
    in.find({{"config", "--type=path", "--get", "lfs.storage"}}).value_or("");
  return at.common / (storage.empty() ? "lfs" : storage) / "objects";
}

} // namespace

std::vector<lfs_file> lfs_files(const repo& in, const repo::facts& at,
                                const std::vector<std::string>& tips,
                                const std::vector<std::string>& known) {
  auto store = lfs_store_of(in, at);
  std::error_code none;
  if (tips.empty() || !fs::exists(store, none))
    return {};
  std::vector<lfs_file> result;
  for (const auto& [id, path] : small_files(in, tips, known)) {
    auto pointer = in.find({{"cat-file", "blob", id}}).value_or("") + '\n';
    auto oid = oid_of(pointer);
    if (oid.empty())
      continue;
    auto contents = store / oid.substr(0, 2) / oid.substr(2, 2) / oid;
    if (!fs::is_regular_file(contents, none))
      contents.clear();
    result.push_back({path, oid, size_of(pointer), std::move(contents)});
  }
  return result;
}

std::optional<std::string> save_contents(const repo& in,
                                         const std::vector<lfs_file>& files,
                                         const author& by) {
  scratch_index index;
  std::string entries;
  for (const auto& file : files)
    if (!file.contents.empty())
      entries += "100644 "
                 + in.ask({{"hash-object", "-w", "--no-filters", "--",
                            file.contents.string()}},
                          "keep a file of Git LFS")
                 + '\t' + file.oid + '\n';
  if (entries.empty())
    return std::nullopt;
  in.ask({{"update-index", "--add", "--index-info"}, entries, index.env()},
         "keep files of Git LFS");
  auto tree = in.ask({{"write-tree"}, {}, index.env()}, "write a tree");
  return write_commit(in, tree, {}, by, "Contents of files of Git LFS\n", true);
}

} // namespace greenroom::git
