#include "runtime/git/inside/lfs.hpp"

#include "runtime/git/common/lfs_pointer.hpp"
#include "runtime/git/inside/hashed_contents.hpp"
#include "runtime/git/inside/staging.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr const char* what_looking_is = "look for files of Git LFS";
constexpr std::size_t max_pointer = 1024;
constexpr std::size_t max_list = std::size_t{1} << 30; // of objects
// The ids of objects that may be pointers.
std::vector<std::string> small_files(const repo& in,
                                     const std::vector<std::string>& tips,
                                     const std::vector<std::string>& known) {
  // Of a partial clone not all is here, and no more of it is fetched.
  git_call list{{"rev-list", "--objects", "--missing=allow-any", "--stdin"}};
  list.max_output = max_list;
  for (const auto& tip : tips)
    list.input += tip + '\n';
  for (const auto& commit : known)
    list.input += '^' + commit + '\n';
  std::string ids;
  for (const auto& line : split(in.ask(list, what_looking_is), '\n'))
    if (auto space = line.find(' '); space == 40 && line.size() > 41)
      ids += line.substr(0, 40) + '\n';
  if (ids.empty())
    return {};
  auto told = in.ask(
    {{"cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)"},
     ids,
     {},
     -1,
     max_list},
    what_looking_is);
  std::vector<std::string> result;
  for (const auto& line : split(told, '\n'))
    if (line.compare(40, 6, " blob ") == 0
        && std::strtoull(line.c_str() + 46, nullptr, 10) <= max_pointer)
      result.push_back(line.substr(0, 40));
  return result;
}

// What those of such files point to that are pointers.
void add_pointers(std::set<std::string>& to, const repo& in,
                  const std::string& ids) {
  constexpr std::string_view blob = " blob ";
  constexpr std::size_t id_size = 40;
  auto told = in.ask({{"cat-file", "--batch"}, ids}, what_looking_is) + '\n';
  // "<id> blob <size>", a line break, the contents, a line break; what is not
  // there has a line only.
  for (std::size_t at = 0; at < told.size();) {
    auto line = told.substr(at, told.find('\n', at) - at);
    at += line.size() + 1;
    if (line.size() < id_size || line.compare(id_size, blob.size(), blob) != 0)
      continue;
    auto size =
      std::strtoull(line.c_str() + id_size + blob.size(), nullptr, 10);
    auto text = told.substr(std::min(at, told.size()), size);
    at += size + 1;
    if (auto found = read_pointer(text))
      to.insert(std::move(found->oid));
  }
}

std::set<std::string> pointed_to(const repo& in,
                                 const std::vector<std::string>& files) {
  constexpr std::size_t at_once = 10'000; // 1 KiB each
  std::set<std::string> result;
  std::string ids;
  std::size_t asked = 0;
  for (const auto& id : files) {
    ids += id + '\n';
    if (++asked % at_once == 0 || asked == files.size())
      add_pointers(result, in, std::exchange(ids, {}));
  }
  return result;
}

} // namespace

std::string lfs_storage(const repo& in) {
  return in.find({{"config", "--type=path", "--get", "lfs.storage"}})
    .value_or("");
}

fs::path lfs_directory(const repo::facts& at, const std::string& storage) {
  return at.common / (storage.empty() ? "lfs" : storage) / "objects";
}

std::vector<fs::path> lfs_contents_of(const repo& in, const fs::path& store,
                                      const std::vector<std::string>& tips,
                                      const std::vector<std::string>& known) {
  std::error_code none;
  if (tips.empty() || !fs::exists(store, none))
    return {};
  std::vector<fs::path> result;
  for (const auto& oid : pointed_to(in, small_files(in, tips, known)))
    if (auto contents = store / oid.substr(0, 2) / oid.substr(2, 2) / oid;
        fs::is_regular_file(contents, none))
      result.push_back(std::move(contents));
  return result;
}

std::optional<std::string> save_contents(const repo& in, const repo::facts& at,
                                         const std::vector<fs::path>& files,
                                         const author& by) {
  if (files.empty())
    return std::nullopt;
  const auto ids = hash_contents(in, at, files);
  std::string entries;
  for (std::size_t i = 0; i < ids.size(); ++i)
    entries += "100644 " + ids[i] + '\t' + files[i].filename().string() + '\n';
  scratch_index index;
  in.ask({{"update-index", "--add", "--index-info"}, entries, index.env()},
         "keep files of Git LFS");
  auto tree = in.ask({{"write-tree"}, {}, index.env()}, "write a tree");
  return write_commit(in, tree, {}, by, "Contents of files of Git LFS\n", true);
}

} // namespace greenroom::git
