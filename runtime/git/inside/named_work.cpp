#include "runtime/git/inside/named_work.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/files.hpp"
#include "runtime/git/common/object_bound.hpp"
#include "runtime/git/common/refs.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <sstream>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t id_size = 40; // hex digits

constexpr const char* what_listing_is = "list the session's branches and tags";

struct reference {
  std::string id;
  std::string kind; // commit, tag, …
  std::uint64_t size = 0;
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

// "ID KIND SIZE", and a name where there is one.
reference read_reference(const std::string& line) {
  reference result;
  std::istringstream words{line};
  words >> result.id >> result.kind >> result.size >> result.name;
  return result;
}

// Of the objects those that are there.
std::map<std::string, reference> objects_at(const repo& in,
                                            const std::string& ids) {
  std::map<std::string, reference> result;
  auto told = in.ask(
    {{"cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)"},
     ids},
    what_listing_is);
  for (const auto& line : split(told, '\n'))
    if (!line.ends_with(" missing")) {
      auto object = read_reference(line);
      result.emplace(object.id, std::move(object));
    }
  return result;
}

// git lists none at all with their kinds where an object is missing.
void look_up_objects(const repo& in, listing& to) {
  std::string ids;
  for (const auto& ref : to.all)
    ids += ref.id + '\n';
  auto objects = objects_at(in, ids);
  std::vector<reference> sound;
  for (auto& ref : to.all) {
    if (auto found = objects.find(ref.id); found != objects.end())
      sound.push_back(
        {ref.id, found->second.kind, found->second.size, std::move(ref.name)});
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
  auto list = [&](const std::string& object) {
    git_call call{
      {"for-each-ref", "--format=%(objectname) " + object + " %(refname)"}};
    call.args.insert(call.args.end(), more.begin(), more.end());
    return in.run(call);
  };
  auto result = list("%(objecttype) %(objectsize)");
  auto incomplete = !result.ok();
  if (incomplete)
    result = list("- 0");
  if (!result.ok())
    fail(what_listing_is, result);
  listing found;
  for (const auto& line : split(result.out, '\n'))
    if (auto ref = read_reference(line); !ref.name.empty())
      found.all.push_back(std::move(ref));
  add_broken(found, result.err);
  if (incomplete)
    look_up_objects(in, found);
  return found;
}

// git takes names that we do not: then the object is what counts.
std::string usable_ref(std::string name, std::string_view checked,
                       const std::string& id) {
  return name_fault(checked) ? "odd/" + id : std::move(name);
}

named_object describe(const reference& ref) {
  constexpr std::string_view refs = "refs/";
  auto name = ref.name.substr(refs.size());
  auto rest = name.substr(std::min(name.find('/') + 1, name.size()));
  if (name.starts_with("heads/"))
    return {usable_ref(name, rest, ref.id), ref.id, "branch " + rest};
  if (name.starts_with("tags/"))
    return {usable_ref(name, rest, ref.id), ref.id,
            (ref.kind == "tag" ? "annotated tag " : "tag ") + rest};
  if (name.starts_with("notes/"))
    return {usable_ref(name, rest, ref.id), ref.id, "notes, refs/" + name};
  return {usable_ref("other/" + name, name, ref.id), ref.id,
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

void name_broken(named_work& to, const listing& refs) {
  for (const auto& name : refs.broken)
    if (is_work(name))
      add_note(to, name + " is broken, and nothing is kept of it");
}

// -- what is published --------------------------------------------------------

void add_ids(std::vector<std::string>& to, const fs::path& file) {
  if (auto text = read_file(file))
    for (const auto& line : split(*text, '\n'))
      if (line.size() >= id_size)
        to.push_back(line.substr(0, id_size));
}

// HEAD's log begins with them: "<old> <new> <who>\tclone: from <url>".
void add_cloned(std::vector<std::string>& to, const repo::facts& at) {
  if (auto text = read_file(at.dir / "logs/HEAD"))
    for (const auto& line : split(*text, '\n'))
      if (line.find("\tclone: from ") != line.npos)
        to.push_back(line.substr(id_size + 1, id_size));
}

std::vector<std::string> published_by(const repo& in, const repo::facts& at) {
  std::vector<std::string> ids;
  for (auto& ref : references(in, {"refs/remotes/"}).all)
    ids.push_back(std::move(ref.id));
  add_cloned(ids, at);
  std::error_code none;
  if (fs::exists(at.common / "shallow", none)) {
    add_ids(ids, at.common / "shallow");
    add_ids(ids, at.dir / "FETCH_HEAD");
  }
  auto commits = commits_behind(in, ids);
  std::ranges::sort(commits);
  auto twice = std::ranges::unique(commits);
  commits.erase(twice.begin(), twice.end());
  std::erase(commits, "");
  return commits;
}

} // namespace

void add_note(named_work& to, const std::string& text) {
  to.note = to.note ? *to.note + "; " + text : text;
}

void add_left(named_work& to, const std::string& what, const std::string& why) {
  add_note(to, what + " could not be saved (" + why + ')');
  to.complete = false;
}

std::string usable(std::string name, const std::string& id) {
  return name_fault(name) ? "odd/" + id : std::move(name);
}

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

void add_under(named_work& to, const std::string& prefix,
               const std::string& whose, named_work found) {
  if (found.note)
    add_note(to, *found.note + ' ' + whose);
  to.complete = to.complete && found.complete;
  for (auto& one : found.objects)
    to.objects.push_back({usable(prefix + one.name, one.id), std::move(one.id),
                          one.holds + ' ' + whose});
  to.stores.insert(to.stores.end(), found.stores.begin(), found.stores.end());
}

std::vector<std::string> commits_behind(const repo& in,
                                        const std::vector<std::string>& ids) {
  if (ids.empty())
    return {};
  git_call call{{"cat-file", "--batch-check=%(objectname)"}};
  for (const auto& id : ids)
    call.input += id + "^{commit}\n";
  auto told = split(in.ask(call, what_listing_is), '\n');
  told.resize(ids.size());
  for (auto& line : told)
    if (line.size() != id_size || line.find(' ') != line.npos)
      line.clear(); // "<what was asked> missing"
  return told;
}

named_work named_commits(const repo& in, const repo::facts& at) {
  named_work found;
  auto stashed = false;
  auto own = references(in, {});
  for (auto& ref : own.all) {
    stashed = stashed || ref.name == "refs/stash";
    if (!is_work(ref.name))
      continue;
    if (auto why = why_too_large(ref.kind, ref.size))
      add_left(found, ref.name, "it " + *why);
    else
      found.objects.push_back(describe(ref));
  }
  name_broken(found, own);
  if (stashed)
    add_stashes(found, in);
  add_put_aside(found, at);
  add_detached(found, in, at);
  return found;
}

unpublished_work unpublished(const repo& in, const repo::facts& at,
                             named_work own) {
  unpublished_work result;
  result.published = published_by(in, at);
  result.own = std::move(own);
  if (result.published.empty())
    return result;
  std::vector<std::string> ids;
  for (const auto& one : result.own.objects)
    ids.push_back(one.id);
  auto commits = commits_behind(in, ids);
  git_call list{{"rev-list", "--boundary", "--stdin"}};
  for (const auto& id : commits)
    list.input += id.empty() ? "" : id + '\n';
  if (list.input.empty()) {
    result.own.objects.clear();
    return result;
  }
  for (const auto& id : result.published)
    list.input += '^' + id + '\n';
  std::set<std::string> unknown;
  for (auto& line : split(in.ask(list, "list the commits of its own"), '\n'))
    if (line.starts_with('-'))
      result.boundary.push_back(line.substr(1));
    else
      unknown.insert(std::move(line));
  std::vector<named_object> kept;
  for (std::size_t i = 0; i < commits.size(); ++i)
    if (unknown.contains(commits[i]))
      kept.push_back(std::move(result.own.objects[i]));
  result.own.objects = std::move(kept);
  return result;
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

std::map<std::string, std::string>
unpackable(const repo& in, const named_work& work,
           const std::vector<std::string>& tips,
           const std::vector<std::string>& known) {
  if (tips.empty())
    return {};
  unique_fd nowhere{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  try {
    write_pack(in, work, tips, known, nowhere.get());
    return {};
  } catch (const checkout_fault& fault) {
    if (tips.size() == 1)
      return {{tips.front(), fault.what()}};
  }
  // Mostly it is one of many.
  auto middle = tips.begin() + static_cast<std::ptrdiff_t>(tips.size() / 2);
  auto result = unpackable(in, work, {tips.begin(), middle}, known);
  result.merge(unpackable(in, work, {middle, tips.end()}, known));
  return result;
}

} // namespace greenroom::git
