#include "runtime/git/session/checkpoint.hpp"

#include "messages/errors.hpp"
#include "runtime/git/common/refs.hpp"
#include "runtime/git/mirror/handles.hpp"
#include "runtime/git/mirror/signatures.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

namespace greenroom::git {

namespace {

constexpr const char* failure = "cannot write a checkpoint";

std::string own_ref(const std::string& session_id) {
  return "refs/greenroom/checkpoints/" + session_id;
}

/// Where mirror::fetch_ref puts it.
std::string fetched_ref(const std::string& session_id) {
  return "refs/greenroom/asked/greenroom/checkpoints/" + session_id;
}

using names = std::vector<std::pair<std::string, std::string>>;

// "heads/x 0123…", a line each, after a line for people.
std::string message_of(const std::string& session_id, const names& all) {
  auto text = "Checkpoint of session " + session_id + "\n\n";
  for (const auto& [name, id] : all)
    text += name + ' ' + id + '\n';
  return text;
}

bool is_commit_id(std::string_view text) {
  return text.size() == 40
         && text.find_first_not_of("0123456789abcdef") == text.npos;
}

names read_names(std::string_view text) {
  names result;
  while (!text.empty()) {
    auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    auto blank = line.rfind(' ');
    if (blank != line.npos && is_commit_id(line.substr(blank + 1)))
      result.emplace_back(line.substr(0, blank), line.substr(blank + 1));
  }
  return result;
}

commit_handle commit_at(git_repository* repo, const std::string& id) {
  auto oid = to_oid(id);
  object_handle object;
  object_handle peeled;
  check(git_object_lookup(receive(object), repo, &oid, GIT_OBJECT_ANY),
        failure);
  check(git_object_peel(receive(peeled), object.get(), GIT_OBJECT_COMMIT),
        failure);
  commit_handle result;
  check(git_commit_lookup(receive(result), repo, git_object_id(peeled.get())),
        failure);
  return result;
}

/// What is to be written, as commits.
struct contents {
  git_oid tree;
  std::vector<commit_handle> parents;
  std::string message;
};

contents gather(git_repository* repo, const std::string& session_id,
                const std::string& branch,
                const std::vector<named_object>& work) {
  contents result;
  names all;
  std::set<std::string> known;
  const auto own = "heads/" + branch;
  auto add = [&](const named_object& one) {
    auto commit = commit_at(repo, one.id);
    auto id = to_hex(*git_commit_id(commit.get()));
    all.emplace_back(one.name, id);
    if (known.insert(id).second)
      result.parents.push_back(std::move(commit));
  };
  auto find = [&](const std::string& name) {
    return std::ranges::find(work, name, &named_object::name);
  };
  // The branch is the first parent. What is not committed is the commit's own
  // tree, so that where nothing has changed nothing is new.
  auto tip = find(own);
  auto tree = find("tree");
  if (tip != work.end())
    add(*tip);
  for (const auto& one : work)
    if (one.name != own && one.name != "tree" && !one.name.starts_with("odd/"))
      add(one);
  const auto& top = tree != work.end()  ? *tree
                    : tip != work.end() ? *tip
                                        : work.front();
  result.tree = *git_commit_tree_id(commit_at(repo, top.id).get());
  result.message = message_of(session_id, all);
  return result;
}

bool is_same(git_repository* repo, const std::string& before,
             const contents& now) {
  auto commit = commit_at(repo, before);
  return git_oid_equal(git_commit_tree_id(commit.get()), &now.tree) != 0
         && git_commit_message(commit.get()) == now.message;
}

std::string write(git_repository* repo, const contents& what) {
  tree_handle tree;
  check(git_tree_lookup(receive(tree), repo, &what.tree), failure);
  std::vector<const git_commit*> parents;
  for (const auto& one : what.parents)
    parents.push_back(one.get());
  auto by = sign({"Greenroom", "checkpoint@greenroom.invalid"});
  git_oid id;
  check(git_commit_create(&id, repo, nullptr, by.get(), by.get(), nullptr,
                          what.message.c_str(), tree.get(), parents.size(),
                          parents.data()),
        failure);
  return to_hex(id);
}

std::vector<std::string> ids_of(const std::vector<named_object>& work) {
  std::set<std::string> ids;
  for (const auto& one : work)
    ids.insert(one.id);
  return {ids.begin(), ids.end()};
}

} // namespace

bool save_checkpoint(const checkpoint_spec& spec) {
  const auto& id = spec.session.paths().session_id;
  save_request request;
  request.by = {"Greenroom", "checkpoint@greenroom.invalid"};
  request.known = spec.mirror.tips();
  request.rescue_message = "Work that was not committed in session " + id;
  request.beside = true;
  auto saved = spec.session.save(request);
  if (saved.named.empty())
    return false; // not even a commit
  if (saved.pack)
    spec.mirror.import_pack(saved.pack->get(), ids_of(saved.named));
  auto repo = open_mirror(spec.mirror.path());
  auto now = gather(repo.get(), id, spec.branch, saved.named);
  auto before = spec.mirror.ref(own_ref(id));
  if (before && is_same(repo.get(), *before, now))
    return false;
  spec.mirror.set_ref(own_ref(id), write(repo.get(), now));
  if (auto why = spec.mirror.push_refs({own_ref(id)})) {
    spec.mirror.forget_ref(own_ref(id)); // so that it is tried again
    throw refused{errc::unavailable, *why};
  }
  return true;
}

std::optional<checkpoint> fetch_checkpoint(const mirror& mirror,
                                           const std::string& session_id,
                                           const std::string& branch) {
  if (!mirror.fetch_ref(own_ref(session_id)))
    return std::nullopt;
  auto commit = mirror.ref(fetched_ref(session_id));
  if (!commit)
    return std::nullopt;
  auto repo = open_mirror(mirror.path());
  auto read = commit_at(repo.get(), *commit);
  checkpoint result;
  result.commit = *commit;
  result.saved_at = git_commit_time(read.get());
  for (auto& [name, id] : read_names(git_commit_message(read.get()))) {
    auto here = mirror.is_ancestor(id, *commit);
    if (here && name == "heads/" + branch)
      result.tip = id;
    else if (here && (name.starts_with("heads/") || name.starts_with("tags/"))
             && !name_fault(std::string_view{name}.substr(name.find('/') + 1)))
      result.others.emplace(name, id);
    else if (here && name == "stash")
      result.others.emplace(name, id);
  }
  return result;
}

void drop_checkpoint(const mirror& mirror, const std::string& session_id) {
  if (!mirror.ref(own_ref(session_id)) && !mirror.ref(fetched_ref(session_id)))
    return;
  if (auto why = mirror.drop_upstream_ref(own_ref(session_id)))
    throw refused{errc::unavailable, *why};
  mirror.forget_ref(own_ref(session_id));
  mirror.forget_ref(fetched_ref(session_id));
}

} // namespace greenroom::git
