#include "runtime/git/session/checkin.hpp"

#include "messages/errors.hpp"
#include "messages/left_work.hpp"
#include "runtime/base/failpoint.hpp"
#include "runtime/base/for_shell.hpp"
#include "runtime/git/mirror/git_process.hpp"
#include "runtime/git/mirror/lfs_kept.hpp"
#include "runtime/git/mirror/lfs_pointers.hpp"
#include "runtime/git/mirror/unpushed.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <tuple>
#include <utility>

namespace greenroom::git {

namespace {

using objects = std::vector<named_object>;

// How often check-in looks again at an upstream that moves under its push.
constexpr int max_pushes = 3;

std::string rescue_message(const sandboxed_git& session) {
  return "Work that was not committed in session " + session.paths().session_id;
}

std::vector<std::string> tips_of(const objects& work) {
  std::set<std::string> tips;
  for (const auto& one : work)
    tips.insert(one.id);
  return {tips.begin(), tips.end()};
}

std::uint64_t size_of_file(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

void take(const mirror& mirror, const saved_work& saved,
          const std::vector<std::string>& tips) {
  if (saved.pack && !tips.empty())
    mirror.import_pack(saved.pack->get(), tips);
}

std::vector<std::string> names_of(const std::vector<rescue_ref>& refs) {
  std::vector<std::string> result;
  for (const auto& one : refs)
    result.push_back(one.ref);
  return result;
}

std::optional<std::string> note_of(const saved_work& saved) {
  if (saved.complete)
    return saved.note;
  return std::string{left_work_note} + saved.note.value_or("");
}

// The objects are in the mirror already.
rescue_result keep(const mirror& mirror, const std::string& session_id,
                   const objects& work, const std::optional<std::string>& note,
                   bool push) {
  rescue_result result;
  result.note = note;
  const auto space = rescue_space(session_id);
  std::vector<std::string> refs;
  for (const auto& one : work) {
    refs.push_back(space + one.name);
    // An earlier try may have kept what the user has renamed since.
    mirror.replace_ref(refs.back(), one.id);
    result.refs.push_back({refs.back(), one.id, one.holds});
  }
  if (refs.empty())
    return result;
  unpushed_list unpushed{mirror.path()};
  unpushed.put({session_id, note.value_or(""), refs});
  failpoint("rescue.noted");
  if (!push) {
    result.upstream_failure = "it did not answer a moment ago";
    return result;
  }
  auto pushed = push_rescue_refs(mirror, session_id, refs, rescue_push_timeout);
  for (auto& one : result.refs)
    if (auto found = pushed.renamed.find(one.ref);
        found != pushed.renamed.end())
      one.ref = found->second;
  result.upstream_failure = std::move(pushed.failure);
  if (!result.upstream_failure)
    unpushed.remove(session_id);
  else if (!pushed.renamed.empty())
    unpushed.put({session_id, note.value_or(""), names_of(result.refs)});
  return result;
}

[[noreturn]] void refuse(const std::string& branch, const std::string& what) {
  throw refused{errc::conflict, "branch \"" + branch + "\" " + what};
}

[[noreturn]] void refuse_moved(const std::string& branch) {
  const auto name = for_shell(branch);
  refuse(branch, "has moved in the upstream; merge it in the session by `git "
                 "pull --no-rebase --no-edit origin "
                   + name
                   + "`, or, where all that it has there is what this session "
                     "has pushed and rewritten since, replace it by `git push "
                     "--force-with-lease origin "
                   + name + "`, then check in again");
}

// A DELETE is for administrators only.
const std::string how_to_discard =
  "POST .../discard (or an administrator's DELETE)";

// A pattern of git-lfs, between quotes of a shell, that the path fits; what
// either reads in ways of its own is any character there.
std::string lfs_pattern(const std::string& path) {
  constexpr std::string_view plain =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+=@%~/";
  std::string result = "/";
  for (auto c : path)
    result +=
      static_cast<unsigned char>(c) >= 0x80 || plain.find(c) != plain.npos
        ? c
        : '?';
  return result;
}

// All that was not committed is, and the upstream has none of these commits. By
// --yes git-lfs would throw away what has been written since.
[[noreturn]] void refuse_lfs(const std::string& path, const std::string& oid,
                             bool is_here, const refused& why) {
  const auto remedy =
    why.code() == errc::unavailable // it says itself what would help
      ? std::string{}
      : is_here
          ? "take it out of Git LFS in the session, by `git lfs migrate "
            "export --include='"
              + lfs_pattern(path)
              + "'`, which rewrites the commits that the upstream has not "
                "got, "
          : "bring them by `git lfs push --object-id origin " + oid
              + "` in the clone that has them, ";
  throw refused{errc::conflict,
                "`" + path
                  + "` is kept by Git LFS, and its contents cannot be "
                    "delivered to the upstream: "
                  + why.what() + "; " + remedy
                  + "then check in again, or end the session by "
                  + how_to_discard
                  + ", which keeps all that it has under rescue refs"};
}

// The files in such a commit, and whether these are all.
std::pair<std::set<std::string>, bool> files_of(const mirror& mirror,
                                                const std::string& commit) {
  server_git list{mirror.path(), {"ls-tree", "--name-only", commit}};
  list.max_output = std::size_t{64} << 20;
  auto told = git::run(list);
  auto names = split(told.out, '\n');
  return {{names.begin(), names.end()}, told.ok() && !told.truncated};
}

// Of all pointers that the branch would bring to the upstream, whoever made
// them: what is pushed to the session from a clone, or was rescued once, may
// have come without. Those that are not in the session have to be in the
// upstream, or among rescued work. Of what was delivered nothing needs to be
// rescued.
void deliver_lfs(const checkin_spec& spec, const std::string& tip,
                 objects& work) {
  auto kept = std::ranges::find(work, "lfs", &named_object::name);
  std::set<std::string> here;
  bool all_listed = false;
  if (kept != work.end())
    std::tie(here, all_listed) = files_of(spec.mirror, kept->id);
  std::set<std::string> delivered;
  auto bring = [&](const lfs_object& what) {
    if (spec.lfs == nullptr)
      throw refused{errc::conflict, "there is no way to"};
    if (here.contains(what.oid)) {
      auto contents = kept_contents(spec.mirror, {kept->id}, what);
      spec.lfs->deliver(what, contents.get());
    } else {
      spec.lfs->fetch(what);
    }
    delivered.insert(what.oid);
  };
  bring_contents(
    spec.mirror.path(), tip, bring,
    [&](const std::string& path, const lfs_object& what, const refused& why) {
      refuse_lfs(sentence_of(path), what.oid, here.contains(what.oid), why);
    });
  if (all_listed && std::ranges::includes(delivered, here))
    work.erase(kept);
}

// A branch of the upstream that has all of it, the default one if it does.
std::optional<std::string> merged_into(const mirror& mirror,
                                       const std::string& tip) {
  constexpr std::string_view heads = "heads/";
  std::optional<std::string> result;
  auto usual = mirror.default_branch();
  for (const auto& [name, id] : mirror.upstream_refs())
    if (name.starts_with(heads) && mirror.is_ancestor(tip, id)) {
      auto branch = name.substr(heads.size());
      if (!result || branch == usual)
        result = branch;
    }
  return result;
}

[[noreturn]] void refuse_gone(const checkin_spec& spec,
                              const std::string& tip) {
  auto kept =
    rescue_space(spec.session.paths().session_id) + "heads/" + spec.branch;
  auto words = "branch \"" + spec.branch + "\" is gone from the upstream";
  if (auto into = merged_into(spec.mirror, tip))
    throw refused{errc::conflict,
                  words + ", and branch \"" + *into
                    + "\" has all of its commits: nothing is left to check "
                      "in; end this session by "
                    + how_to_discard
                    + ", and start another one with from_ref \"" + *into
                    + "\" and any new_branch"};
  throw refused{errc::conflict,
                words + "; end this session by " + how_to_discard
                  + ", which keeps its work as " + kept
                  + ", and start another one with that as from_ref and any "
                    "new_branch"};
}

void push(const checkin_spec& spec, const std::string& tip,
          std::uint64_t bytes) {
  std::optional<std::string> expected;
  if (!spec.new_branch)
    expected = spec.base_commit;
  for (int i = 0; i < max_pushes; ++i) {
    if (spec.mirror.push(spec.branch, tip, expected, bytes) == push_outcome::ok)
      return;
    spec.mirror.fetch();
    auto now = spec.mirror.resolve_branch(spec.branch);
    if (!now)
      refuse_gone(spec, tip);
    if (spec.mirror.is_ancestor(tip, *now))
      return; // it got there before, and may have been built upon
    if (!spec.mirror.is_ancestor(*now, tip))
      break;
    expected = now;
  }
  refuse_moved(spec.branch);
}

struct taken_work {
  objects work; // what is only here
  std::optional<std::string> note;
};

taken_work save_and_take(const rescue_spec& spec, const save_request& request) {
  auto saved = spec.session.save(request);
  taken_work result{only_here(spec.mirror, saved.named), note_of(saved)};
  take(spec.mirror, saved, tips_of(result.work));
  return result;
}

// Repositories inside may take too long, or have what the mirror does not take:
// then what is the session's own is saved without them.
taken_work save_what_can_be(const rescue_spec& spec) {
  save_request request;
  request.by = spec.by;
  request.known = spec.mirror.tips();
  request.upstream = spec.mirror.upstream_tips();
  request.rescue_message = rescue_message(spec.session);
  try {
    return save_and_take(spec, request);
  } catch (const refused& fault) {
    request.own_only = true;
    auto result = save_and_take(spec, request);
    auto note = std::string{left_work_note}
                + "repositories inside of the checkout could not be saved ("
                + fault.what() + ')';
    if (result.note)
      note += "; "
              + result.note->substr(
                leaves_work(*result.note) ? left_work_note.size() : 0);
    result.note = note;
    return result;
  }
}

} // namespace

// A tag is more than the commit that it names. A clone has all of the
// upstream's: what is there under the same name needs no look at the history.
std::vector<named_object> only_here(const mirror& mirror,
                                    std::vector<named_object> work) {
  if (work.empty())
    return work;
  std::erase_if(work, [upstream = mirror.upstream_refs()](const auto& one) {
    const auto same = upstream.find(one.name);
    return same != upstream.end() && same->second == one.id;
  });
  const auto known = mirror.reached_from(mirror.upstream_tips(), tips_of(work));
  std::erase_if(work, [&](const auto& one) {
    return !one.name.starts_with("tags/") && known.contains(one.id);
  });
  return work;
}

rescue_result rescue(const rescue_spec& spec) {
  auto [work, note] = save_what_can_be(spec);
  return keep(spec.mirror, spec.session.paths().session_id, work, note,
              spec.push);
}

rescue_result rescue_objects(const mirror& mirror,
                             const std::string& session_id,
                             const std::vector<named_object>& work, bool push,
                             const std::optional<std::string>& note) {
  return keep(mirror, session_id, only_here(mirror, work), note, push);
}

checkin_result checkin(const checkin_spec& spec) {
  save_request request{spec.by, spec.mirror.tips(), spec.branch, spec.message,
                       rescue_message(spec.session)};
  request.upstream = spec.mirror.upstream_tips();
  auto saved = spec.session.save(request);
  failpoint("checkin.committed");
  const auto& tip = saved.tip;
  if (!tip && !spec.base_commit.empty())
    refuse(spec.branch, "is gone from the session's repository; make it "
                        "again, then check in");
  auto work = only_here(spec.mirror, saved.named);
  auto tips = tips_of(work);
  if (tip)
    tips.push_back(*tip);
  take(spec.mirror, saved, tips);
  failpoint("checkin.imported");

  checkin_result result;
  result.changed = tip && *tip != spec.base_commit;
  const auto pushes = tip && (result.changed || spec.new_branch);
  if (pushes)
    deliver_lfs(spec, *tip, work);
  // Before the push: after it there is no way back.
  const auto pushed = tip ? spec.mirror.reached_from({*tip}, tips_of(work))
                          : std::set<std::string>{};
  std::erase_if(work, [&](const auto& one) {
    return !one.name.starts_with("tags/") && pushed.contains(one.id);
  });
  result.rescued = keep(spec.mirror, spec.session.paths().session_id, work,
                        note_of(saved), spec.push_rescued);
  failpoint("checkin.rescued");
  if (!tip)
    return result;
  result.commit = *tip;
  if (pushes)
    push(spec, *tip, saved.pack ? size_of_file(saved.pack->get()) : 0);
  failpoint("checkin.pushed");
  return result;
}

} // namespace greenroom::git
