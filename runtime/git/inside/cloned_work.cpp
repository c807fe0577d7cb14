#include "runtime/git/inside/cloned_work.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/files.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_listed = 1000; // paths and ids in a message

// Where it comes from, without a name or password, or what follows a `?`.
std::string remote_of(const repo& in) {
  auto url = in.find({{"config", "--get", "remote.origin.url"}}).value_or("");
  url = url.substr(0, url.find_first_of("?#\n"));
  auto begin = url.find("://");
  if (begin == url.npos)
    return url.empty() ? "no known remote" : url;
  begin += 3;
  auto host = url.substr(begin, url.find('/', begin) - begin);
  if (auto at = host.rfind('@'); at != host.npos)
    url.erase(begin, at + 1);
  return url;
}

std::string listed(const std::vector<std::string>& lines) {
  std::string result;
  for (std::size_t i = 0; i < std::min(lines.size(), max_listed); ++i)
    result += "  " + lines[i] + '\n';
  if (lines.size() > max_listed)
    result += "  and " + std::to_string(lines.size() - max_listed) + " more\n";
  return result;
}

// The files of a commit that differ from its first parent's.
struct changed_files {
  std::string entries; // as `update-index --index-info -z` reads them
  std::vector<std::string> removed;
};

changed_files changes(const repo& in, const std::string& commit) {
  auto parent = in.find({{"rev-parse", "-q", "--verify", commit + "^1"}});
  auto text = in.ask({{"diff-tree", "-r", "-z", "--no-renames",
                       "--no-commit-id", parent.value_or(empty_tree), commit}},
                     "compare two trees");
  // ":<old mode> <new mode> <old id> <new id> <status>", and the path
  changed_files result;
  auto parts = split(text, '\0');
  for (std::size_t i = 0; i + 1 < parts.size(); i += 2) {
    auto fields = split(parts[i], ' ');
    if (fields.size() != 5)
      continue;
    if (fields[4] == "D")
      result.removed.push_back(parts[i + 1]);
    else
      result.entries +=
        fields[1] + ' ' + fields[3] + '\t' + parts[i + 1] + '\0';
  }
  return result;
}

std::string tree_of(const repo& in, const std::string& entries) {
  scratch_index index;
  if (entries.empty())
    return in.ask({{"hash-object", "-t", "tree", "-w", "/dev/null"}},
                  "write a tree");
  in.ask({{"update-index", "-z", "--index-info"}, entries, index.env()},
         "gather what has changed");
  return in.ask({{"write-tree", "--missing-ok"}, {}, index.env()},
                "write a tree");
}

std::string changes_only(const repo& in, const std::string& commit,
                         const std::string& shown, const author& by) {
  auto found = changes(in, commit);
  auto base =
    in.find({{"rev-parse", "-q", "--verify", commit + "^1"}}).value_or("none");
  auto message = "What was not committed in " + shown
                 + "\n\nOnly the files that differ from commit " + base
                 + "\nof " + remote_of(in) + '\n';
  if (!found.removed.empty())
    message += "\nRemoved:\n" + listed(found.removed);
  return write_commit(in, tree_of(in, found.entries), {}, by, message, true);
}

std::string bundle(const repo& in, const unpublished_work& found,
                   const std::string& shown, const author& by) {
  scratch_index scratch;
  const auto file = scratch.directory() / "work.bundle";
  std::string header = "# v2 git bundle\n";
  for (const auto& id : found.boundary)
    header += '-' + id + " \n";
  std::vector<std::string> names;
  git_call pack{{"-c", "pack.packSizeLimit=0", "pack-objects", "--revs",
                 "--stdout", "--thin", "--delta-base-offset", "-q"}};
  for (const auto& one : found.own.objects) {
    auto name = "refs/" + one.name;
    header += one.id + ' ' + name + '\n';
    names.push_back(name + ' ' + one.id);
    pack.input += one.id + '\n';
  }
  for (const auto& id : found.published)
    pack.input += '^' + id + '\n';
  write_file_atomic(file, header + '\n', 0600, false);
  unique_fd rest{::open(file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC)};
  if (!rest)
    throw std::system_error(errno, std::generic_category(),
                            "cannot write " + file.string());
  pack.stdout_fd = rest.get();
  in.ask(pack, "pack its own commits");
  auto blob =
    in.ask({{"hash-object", "-w", "--no-filters", "--", file.string()}},
           "keep a bundle");
  auto tree = tree_of(in, "100644 " + blob + "\twork.bundle" + '\0');
  return write_commit(
    in, tree, {}, by,
    "What only the repository in " + shown + " has\n\nInto a clone of "
      + remote_of(in)
      + ":\n  git fetch work.bundle 'refs/*:refs/rescued/*'\n\nIt has:\n"
      + listed(names) + "\nand begins with:\n" + listed(found.boundary),
    true);
}

} // namespace

named_work work_of_clone(const repo& in, unpublished_work found,
                         const std::string& shown, const author& by) {
  named_work result;
  result.note = std::move(found.own.note);
  result.complete = found.own.complete;
  auto& own = found.own.objects;
  auto tree = std::ranges::find(own, "tree", &named_object::name);
  auto its_tree = tree == own.end() ? std::string{} : tree->id;
  if (tree != own.end())
    own.erase(tree);
  if (!its_tree.empty())
    result.objects.push_back(
      {"tree", changes_only(in, its_tree, shown, by),
       "what was not committed, only the files that differ,"});
  if (own.empty())
    return result;
  try {
    result.objects.push_back({"bundle", bundle(in, found, shown, by),
                              "its own commits and references, as a bundle,"});
  } catch (const checkout_fault& fault) {
    add_left(result, "commits", fault.what());
  }
  return result;
}

} // namespace greenroom::git
