#include "runtime/git/inside/named_work.hpp"

#include "runtime/base/files.hpp"
#include "runtime/git/common/refs.hpp"
#include "runtime/git/inside/staging.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr int max_depth = 16; // of repositories in repositories

constexpr const char* what_listing_is = "list the session's branches and tags";

struct reference {
  std::string id;
  std::string kind; // commit, tag, …
  std::string name; // in full
};

// The user's own; others are git's, or what was fetched.
bool is_work(std::string_view ref) {
  for (std::string_view other :
       {"refs/remotes/", "refs/bisect/", "refs/rewritten/", "refs/prefetch/",
        "refs/worktree/"})
    if (ref.starts_with(other))
      return false;
  return ref != "refs/stash";
}

struct listing {
  std::vector<reference> all;
  std::vector<std::string> broken; // names that lead to nothing
};

// Of the objects those that are there, with their kinds.
std::map<std::string, std::string> kinds_of(const repo& in,
                                            const std::string& ids) {
  std::map<std::string, std::string> result;
  auto told =
    in.ask({{"cat-file", "--batch-check=%(objectname) %(objecttype)"}, ids},
           what_listing_is);
  for (const auto& line : split(told, '\n'))
    if (auto space = line.find(' '); !line.ends_with(" missing"))
      result.emplace(line.substr(0, space), line.substr(space + 1));
  return result;
}

// git lists none at all with their kinds where an object is missing.
void look_up_kinds(const repo& in, listing& to) {
  std::string ids;
  for (const auto& ref : to.all)
    ids += ref.id + '\n';
  auto kinds = kinds_of(in, ids);
  std::vector<reference> sound;
  for (auto& ref : to.all) {
    if (auto found = kinds.find(ref.id); found != kinds.end())
      sound.push_back({ref.id, found->second, std::move(ref.name)});
    else
      to.broken.push_back(std::move(ref.name));
  }
  to.all = std::move(sound);
}

void add_broken(listing& to, const std::string& complaints) {
  constexpr std::string_view mark = "ignoring broken ref ";
  for (const auto& line : split(complaints, '\n'))
    if (auto at = line.find(mark); at != line.npos)
      to.broken.push_back(line.substr(at + mark.size()));
}

listing references(const repo& in, const std::vector<std::string>& more) {
  auto list = [&](const std::string& kind) {
    git_call call{
      {"for-each-ref", "--format=%(objectname) " + kind + " %(refname)"}};
    call.args.insert(call.args.end(), more.begin(), more.end());
    return in.run(call);
  };
  auto result = list("%(objecttype)");
  auto incomplete = !result.ok();
  if (incomplete)
    result = list("-");
  if (!result.ok())
    fail(what_listing_is, result);
  listing found;
  for (const auto& line : split(result.out, '\n')) {
    auto first = line.find(' ');
    auto second = line.find(' ', first + 1);
    if (first == line.npos || second == line.npos)
      continue;
    found.all.push_back({line.substr(0, first),
                         line.substr(first + 1, second - first - 1),
                         line.substr(second + 1)});
  }
  add_broken(found, result.err);
  if (incomplete)
    look_up_kinds(in, found);
  return found;
}

// git takes names that we do not: then the object is what counts.
std::string usable(std::string name, std::string_view checked,
                   const std::string& id) {
  return name_fault(checked) ? "odd/" + id : std::move(name);
}

named_object describe(const reference& ref) {
  constexpr std::string_view refs = "refs/";
  auto name = ref.name.substr(refs.size());
  auto rest = name.substr(std::min(name.find('/') + 1, name.size()));
  if (name.starts_with("heads/"))
    return {usable(name, rest, ref.id), ref.id, "branch " + rest};
  if (name.starts_with("tags/"))
    return {usable(name, rest, ref.id), ref.id,
            (ref.kind == "tag" ? "annotated tag " : "tag ") + rest};
  if (name.starts_with("notes/"))
    return {usable(name, rest, ref.id), ref.id, "notes, refs/" + name};
  return {usable("other/" + name, name, ref.id), ref.id,
          "reference " + ref.name};
}

void add_stashes(named_work& to, const repo& in) {
  auto listed = in.find({{"log", "-g", "--format=%H", "refs/stash", "--"}});
  if (!listed) // it has no log
    listed = in.find({{"rev-parse", "-q", "--verify", "refs/stash"}});
  if (!listed)
    return;
  auto ids = split(*listed, '\n');
  for (std::size_t i = 0; i < ids.size(); ++i)
    to.objects.push_back({i == 0 ? "stash" : "stash-" + std::to_string(i),
                          ids[i], "stash@{" + std::to_string(i) + '}'});
}

// Changes that a rebase or merge has put aside: nothing else names them.
void add_put_aside(named_work& to, const repo::facts& at) {
  for (const auto* file :
       {"rebase-merge/autostash", "rebase-apply/autostash", "MERGE_AUTOSTASH"})
    if (auto text = read_file(at.dir / file))
      to.objects.push_back({"autostash", text->substr(0, text->find('\n')),
                            "changes that a rebase or merge has put aside"});
}

void add_detached(named_work& to, const repo& in, const repo::facts& at) {
  if (at.head)
    return;
  if (auto id = in.find({{"rev-parse", "-q", "--verify", "HEAD^{commit}"}}))
    to.objects.push_back({"detached", *id, "HEAD, which was on no branch"});
}

// As a part of a name that needs no directory.
std::string one_part(const std::string& path, std::set<std::string>& taken) {
  std::string part;
  for (auto c : path.substr(0, 100))
    part += (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
                || (c >= 'A' && c <= 'Z') || c == '_'
              ? c
              : '-';
  if (part.starts_with('-'))
    part.front() = '_';
  auto result = part;
  for (int i = 2; !taken.insert(result).second; ++i)
    result = part + '-' + std::to_string(i);
  return result;
}

void add_note(named_work& to, const std::string& text) {
  to.note = to.note ? *to.note + "; " + text : text;
}

void add_under(named_work& to, const std::string& prefix,
               const std::string& whose, named_work found) {
  if (found.note)
    add_note(to, *found.note + ' ' + whose);
  for (auto& one : found.objects) {
    auto name = prefix + one.name;
    to.objects.push_back(
      {usable(name, name, one.id), std::move(one.id), one.holds + ' ' + whose});
  }
}

// -- repositories inside ------------------------------------------------------

void name_broken(named_work& to, const listing& refs) {
  for (const auto& name : refs.broken)
    if (is_work(name))
      add_note(to, name + " is broken, and nothing is kept of it");
}

// What none of its remotes is known to have.
named_work unpublished(const repo& in, const repo::facts& at) {
  std::vector<std::string> filter;
  for (auto& ref : references(in, {"refs/remotes/"}).all)
    if (ref.kind == "commit")
      filter.push_back("--no-merged=" + ref.id);
  auto published = !filter.empty();
  named_work found;
  auto own = references(in, filter);
  for (auto& ref : own.all)
    if (is_work(ref.name))
      found.objects.push_back(describe(ref));
  name_broken(found, own);
  add_stashes(found, in);
  named_work head;
  add_detached(head, in, at);
  for (auto& one : head.objects)
    if (!published
        || in.find({{"rev-list", "-1", one.id, "--not", "--remotes"}}) != "")
      found.objects.push_back(std::move(one));
  return found;
}

void add_inside(named_work& to, const repo& in, const std::string& path,
                const tree_saving& how, std::set<std::string>& taken,
                const std::string& above, int depth) {
  repo inner{in.top() / path, {}};
  std::error_code none;
  if (depth > max_depth || !fs::exists(inner.top() / ".git", none))
    return; // a submodule that is not checked out
  auto at = inner.look();
  auto shown = above + path;
  auto found = unpublished(inner, at);
  add_put_aside(found, at);
  staged_files deeper;
  if (auto tree = save_tree(inner, at, how, deeper))
    found.objects.push_back({"tree", *tree, "what was not committed"});
  name_left_out(to, deeper.left_out);
  if (!found.objects.empty())
    to.stores.push_back(at.common / "objects");
  add_under(to, "nested/" + one_part(shown, taken) + '/',
            "of the repository in " + shown, std::move(found));
  for (const auto& one : deeper.embedded)
    add_inside(to, inner, one, how, taken, shown + '/', depth + 1);
}

// -- linked work trees --------------------------------------------------------

std::vector<fs::path> linked(const repo& in, const repo::facts& at) {
  std::error_code none;
  if (!fs::exists(at.common / "worktrees", none))
    return {};
  auto text = in.ask({{"worktree", "list", "--porcelain", "-z"}},
                     "list linked work trees");
  constexpr std::string_view mark = "worktree ";
  std::vector<fs::path> result;
  auto main = fs::weakly_canonical(in.top());
  for (const auto& line : split(text, '\0'))
    if (line.starts_with(mark))
      if (fs::path path = line.substr(mark.size());
          fs::weakly_canonical(path) != main)
        result.push_back(std::move(path));
  return result;
}

void add_linked(named_work& to, const fs::path& path, const tree_saving& how,
                std::set<std::string>& taken) {
  std::error_code none;
  if (!fs::exists(path / ".git", none)) {
    add_note(to, "the linked work tree " + path.string()
                   + " could not be reached, and what was not committed in it "
                     "is not kept");
    return;
  }
  repo inner{path, {}};
  auto at = inner.look();
  named_work found;
  add_detached(found, inner, at);
  staged_files deeper;
  if (auto tree = save_tree(inner, at, how, deeper))
    found.objects.push_back({"tree", *tree, "what was not committed"});
  name_left_out(to, deeper.left_out);
  add_under(to, "worktrees/" + one_part(path.filename(), taken) + '/',
            "of the linked work tree " + path.string(), std::move(found));
}

} // namespace

void name_left_out(named_work& in, const std::vector<std::string>& files) {
  constexpr std::size_t max_named = 20; // the rest does not fit a sentence
  if (files.empty())
    return;
  std::string text = "what could not be read is not kept: ";
  for (std::size_t i = 0; i < std::min(files.size(), max_named); ++i)
    text += (i == 0 ? "" : ", ") + files[i];
  if (files.size() > max_named)
    text += ", and " + std::to_string(files.size() - max_named) + " more";
  add_note(in, text);
}

named_work named_commits(const repo& in, const repo::facts& at) {
  named_work found;
  auto stashed = false;
  auto own = references(in, {});
  for (auto& ref : own.all) {
    if (is_work(ref.name))
      found.objects.push_back(describe(ref));
    stashed = stashed || ref.name == "refs/stash";
  }
  name_broken(found, own);
  if (stashed)
    add_stashes(found, in);
  add_put_aside(found, at);
  add_detached(found, in, at);
  return found;
}

void add_others(named_work& to, const repo& in, const repo::facts& at,
                const std::vector<std::string>& inside,
                const tree_saving& how) {
  std::set<std::string> taken;
  std::set<fs::path> done;
  for (const auto& path : linked(in, at)) {
    add_linked(to, path, how, taken);
    done.insert(fs::weakly_canonical(path));
  }
  for (const auto& path : inside)
    if (!done.contains(fs::weakly_canonical(in.top() / path)))
      add_inside(to, in, path, how, taken, {}, 0);
}

void write_pack(const repo& in, const named_work& work,
                const std::vector<std::string>& tips,
                const std::vector<std::string>& known, int fd) {
  git_call call{{"-c", "pack.packSizeLimit=0", "pack-objects", "--revs",
                 "--stdout", "--thin", "--delta-base-offset", "-q"}};
  for (const auto& tip : tips)
    call.input += tip + '\n';
  for (const auto& commit : known)
    call.input += '^' + commit + '\n';
  call.stdout_fd = fd;
  in.with(work.stores).ask(call, "pack the session's objects");
}

} // namespace greenroom::git
