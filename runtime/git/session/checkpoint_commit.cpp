#include "runtime/git/session/checkpoint_commit.hpp"

#include "runtime/base/hex.hpp"
#include "runtime/git/mirror/objects.hpp"
#include "runtime/git/mirror/signatures.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <string_view>

namespace greenroom::git {

namespace {

constexpr const char* checkpoint_failure = "cannot write or read a checkpoint";

constexpr std::string_view exact = "exact/";
constexpr const char* box_name = "objects";
constexpr std::string_view tag_kind = "tag-";

using builder_handle = handle<git_treebuilder, git_treebuilder_free>;
using odb_object_handle = handle<git_odb_object, git_odb_object_free>;

commit_handle commit_at(git_repository* repo, const git_oid& id) {
  commit_handle result;
  check(git_commit_lookup(receive(result), repo, &id), checkpoint_failure);
  return result;
}

// Null for what stands for no commit.
commit_handle commit_behind(git_repository* repo, const git_oid& id) {
  auto commit = peel_to_commit(repo, id);
  return commit ? commit_at(repo, *commit) : nullptr;
}

std::string id_of(const commit_handle& commit) {
  return to_hex(*git_commit_id(commit.get()));
}

git_oid write_tree(git_treebuilder* builder) {
  git_oid result;
  check(git_treebuilder_write(&result, builder), checkpoint_failure);
  return result;
}

git_oid empty_tree(git_repository* repo) {
  builder_handle builder;
  check(git_treebuilder_new(receive(builder), repo, nullptr),
        checkpoint_failure);
  return write_tree(builder.get());
}

// -- the box ------------------------------------------------------------------

class object_box {
public:
  explicit object_box(git_repository* repo) : repo_(repo) {
    check(git_treebuilder_new(receive(builder_), repo, nullptr),
          checkpoint_failure);
  }

  /// With all that it stands for, up to a commit.
  void keep(git_oid id) {
    for (;;)
      switch (type_of(repo_, id)) {
        case GIT_OBJECT_TAG: {
          add(std::string{tag_kind}, id, as_file(id), GIT_FILEMODE_BLOB);
          tag_handle tag;
          check(git_tag_lookup(receive(tag), repo_, &id), checkpoint_failure);
          id = *git_tag_target_id(tag.get());
          break;
        }
        case GIT_OBJECT_BLOB:
          return add("blob-", id, id, GIT_FILEMODE_BLOB);
        case GIT_OBJECT_TREE:
          return add("tree-", id, id, GIT_FILEMODE_TREE);
        case GIT_OBJECT_COMMIT:
          return;
        default:
          throw std::runtime_error{std::string{checkpoint_failure} + ": object "
                                   + to_hex(id) + " is missing"};
      }
  }

  /// Null where there is nothing in it. The same for the same objects.
  commit_handle close() {
    if (git_treebuilder_entrycount(builder_.get()) == 0)
      return nullptr;
    auto top = write_tree(builder_.get());
    tree_handle tree;
    check(git_tree_lookup(receive(tree), repo_, &top), checkpoint_failure);
    signature_handle by;
    check(git_signature_new(receive(by), "Greenroom",
                            "checkpoint@greenroom.invalid", 0, 0),
          checkpoint_failure);
    git_oid id;
    check(git_commit_create(&id, repo_, nullptr, by.get(), by.get(), nullptr,
                            "What a checkpoint has beside commits\n",
                            tree.get(), 0, nullptr),
          checkpoint_failure);
    return commit_at(repo_, id);
  }

private:
  void add(const std::string& kind, const git_oid& id, const git_oid& entry,
           git_filemode_t mode) {
    check(git_treebuilder_insert(nullptr, builder_.get(),
                                 (kind + to_hex(id)).c_str(), &entry, mode),
          checkpoint_failure);
  }

  git_oid as_file(const git_oid& tag) {
    odb_handle odb;
    odb_object_handle raw;
    check(git_repository_odb(receive(odb), repo_), checkpoint_failure);
    check(git_odb_read(receive(raw), odb.get(), &tag), checkpoint_failure);
    git_oid result;
    check(git_blob_create_from_buffer(&result, repo_,
                                      git_odb_object_data(raw.get()),
                                      git_odb_object_size(raw.get())),
          checkpoint_failure);
    return result;
  }

  git_repository* repo_;
  builder_handle builder_;
};

// What it has, tags made of their files again.
std::set<std::string> unpack(git_repository* repo, const std::string& box) {
  std::set<std::string> result;
  odb_handle odb;
  check(git_repository_odb(receive(odb), repo), checkpoint_failure);
  tree_handle tree;
  auto commit = commit_at(repo, to_oid(box));
  check(git_commit_tree(receive(tree), commit.get()), checkpoint_failure);
  for (std::size_t i = 0; i < git_tree_entrycount(tree.get()); ++i) {
    const auto* entry = git_tree_entry_byindex(tree.get(), i);
    std::string_view name = git_tree_entry_name(entry);
    auto id = *git_tree_entry_id(entry);
    if (git_tree_entry_type(entry) == GIT_OBJECT_COMMIT)
      continue;
    if (name.starts_with(tag_kind)) {
      odb_object_handle raw;
      check(git_odb_read(receive(raw), odb.get(), &id), checkpoint_failure);
      check(git_odb_write(&id, odb.get(), git_odb_object_data(raw.get()),
                          git_odb_object_size(raw.get()), GIT_OBJECT_TAG),
            checkpoint_failure);
    }
    result.insert(to_hex(id));
  }
  return result;
}

// -- what is written ----------------------------------------------------------

struct draft {
  git_oid tree;
  std::vector<commit_handle> parents;
  std::string message;
  author by;
};

std::string message_of(const std::string& session_id, const object_names& all) {
  auto text = "Checkpoint of session " + session_id + "\n\n";
  for (const auto& [name, id] : all)
    text += name + ' ' + id + '\n';
  return text;
}

draft gather(git_repository* repo, const checkpoint_contents& what) {
  draft result;
  object_names all;
  object_box box{repo};
  std::set<std::string> known;
  auto add_parent = [&](const std::string& name, commit_handle commit) {
    auto id = id_of(commit);
    all.emplace_back(name, id);
    if (known.insert(id).second)
      result.parents.push_back(std::move(commit));
  };
  auto add = [&](const named_object& one) {
    const auto id = to_oid(one.id);
    if (auto commit = commit_behind(repo, id))
      add_parent(one.name, std::move(commit));
    if (type_of(repo, id) == GIT_OBJECT_COMMIT)
      return;
    box.keep(id);
    all.emplace_back(std::string{exact} + one.name, one.id);
  };
  auto find = [&](const std::string& name) {
    return std::ranges::find(what.work, name, &named_object::name);
  };
  // What is not committed is the commit's own tree, so that where nothing has
  // changed nothing is new.
  const auto own = "heads/" + what.branch;
  auto tip = find(own);
  auto tree = find("tree");
  if (tip != what.work.end())
    add(*tip);
  for (const auto& one : what.work)
    if (one.name != own && one.name != "tree")
      add(one);
  result.tree = empty_tree(repo);
  if (tree != what.work.end())
    result.tree = *git_commit_tree_id(commit_at(repo, to_oid(tree->id)).get());
  else if (!result.parents.empty())
    result.tree = *git_commit_tree_id(result.parents.front().get());
  if (auto boxed = box.close())
    add_parent(box_name, std::move(boxed));
  result.message = message_of(what.session_id, all);
  result.by = what.by;
  return result;
}

bool is_same(git_repository* repo, const std::string& before,
             const draft& now) {
  auto commit = commit_at(repo, to_oid(before));
  return git_oid_equal(git_commit_tree_id(commit.get()), &now.tree) != 0
         && git_commit_message(commit.get()) == now.message;
}

std::string write(git_repository* repo, const draft& what) {
  tree_handle tree;
  check(git_tree_lookup(receive(tree), repo, &what.tree), checkpoint_failure);
  std::vector<const git_commit*> parents;
  for (const auto& one : what.parents)
    parents.push_back(one.get());
  auto by = sign(what.by);
  auto maker = sign({"Greenroom", "checkpoint@greenroom.invalid"});
  git_oid id;
  check(git_commit_create(&id, repo, nullptr, by.get(), maker.get(), nullptr,
                          what.message.c_str(), tree.get(), parents.size(),
                          parents.data()),
        checkpoint_failure);
  return to_hex(id);
}

// -- what is read -------------------------------------------------------------

object_names read_names(std::string_view text) {
  object_names result;
  while (!text.empty()) {
    auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    auto blank = line.rfind(' ');
    if (blank != line.npos && is_hex(line.substr(blank + 1), sha1_digits))
      result.emplace_back(line.substr(0, blank), line.substr(blank + 1));
  }
  return result;
}

std::set<std::string> parents_of(const commit_handle& commit) {
  std::set<std::string> result;
  for (unsigned i = 0; i < git_commit_parentcount(commit.get()); ++i)
    result.insert(to_hex(*git_commit_parent_id(commit.get(), i)));
  return result;
}

bool is_dirty(git_repository* repo, const commit_handle& checkpoint) {
  if (git_commit_parentcount(checkpoint.get()) == 0)
    return true;
  auto first = commit_at(repo, *git_commit_parent_id(checkpoint.get(), 0));
  return git_oid_equal(git_commit_tree_id(checkpoint.get()),
                       git_commit_tree_id(first.get()))
         == 0;
}

} // namespace

std::optional<std::string>
write_checkpoint(git_repository* repo, const checkpoint_contents& what,
                 const std::optional<std::string>& before) {
  auto now = gather(repo, what);
  if (before && is_same(repo, *before, now))
    return std::nullopt;
  return write(repo, now);
}

found_checkpoint read_checkpoint(git_repository* repo,
                                 const std::string& commit) {
  auto read = commit_at(repo, to_oid(commit));
  auto parents = parents_of(read);
  std::set<std::string> boxed;
  std::map<std::string, std::string> found;
  auto all = read_names(git_commit_message(read.get()));
  for (const auto& [name, id] : all)
    if (parents.contains(id) && name == box_name)
      boxed = unpack(repo, id);
    else if (parents.contains(id))
      found[name] = id;
  for (const auto& [name, id] : all)
    if (name.starts_with(exact) && boxed.contains(id))
      found[name.substr(exact.size())] = id;
  return {git_commit_time(read.get()),
          is_dirty(repo, read),
          {found.begin(), found.end()}};
}

} // namespace greenroom::git
