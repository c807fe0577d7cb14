#include "runtime/git/session/checkin.hpp"

#include "messages/errors.hpp"
#include "runtime/base/failpoint.hpp"
#include "runtime/git/mirror/unpushed.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace greenroom::git {

namespace {

using objects = std::vector<named_object>;

// How often check-in looks again at an upstream that moves under its push.
constexpr int max_pushes = 3;

std::string rescue_message(const sandboxed_git& session) {
  return "Work that was not committed in session " + session.paths().session_id;
}

// What is nowhere in the upstream, as far as the mirror knows. A tag is more
// than the commit that it names.
objects only_here(const mirror& mirror, const objects& work) {
  auto upstream = mirror.upstream_refs();
  std::map<std::string, bool> asked; // many names may lead to one commit
  objects result;
  for (const auto& one : work) {
    if (one.name.starts_with("tags/")) {
      auto same = upstream.find(one.name);
      if (same == upstream.end() || same->second != one.id)
        result.push_back(one);
      continue;
    }
    auto [found, fresh] = asked.emplace(one.id, false);
    if (fresh)
      found->second = mirror.in_upstream(one.id);
    if (!found->second)
      result.push_back(one);
  }
  return result;
}

std::vector<std::string> tips_of(const objects& work) {
  std::set<std::string> tips;
  for (const auto& one : work)
    tips.insert(one.id);
  return {tips.begin(), tips.end()};
}

void take(const mirror& mirror, const saved_work& saved,
          const std::vector<std::string>& tips) {
  if (saved.pack && !tips.empty())
    mirror.import_pack(saved.pack->get(), tips);
}

// The objects are in the mirror already.
rescue_result keep(const mirror& mirror, const std::string& session_id,
                   const objects& work, const std::optional<std::string>& note,
                   bool push) {
  rescue_result result;
  result.note = note;
  std::vector<std::string> refs;
  for (const auto& one : work) {
    refs.push_back("refs/greenroom/rescue/" + session_id + '/' + one.name);
    mirror.set_ref(refs.back(), one.id);
    result.refs.push_back({refs.back(), one.id, one.holds});
  }
  if (refs.empty())
    return result;
  unpushed_list unpushed{mirror.path()};
  unpushed.put({session_id, note.value_or(""), refs});
  failpoint("rescue.noted");
  result.upstream_failure = push ? mirror.push_refs(refs, rescue_patience)
                                 : "it did not answer a moment ago";
  if (!result.upstream_failure)
    unpushed.remove(session_id);
  return result;
}

[[noreturn]] void refuse(const std::string& branch, const char* what) {
  throw refused{errc::conflict, "branch \"" + branch + "\" " + what};
}

[[noreturn]] void refuse_lfs(const std::string& file) {
  throw refused{errc::conflict,
                "`" + file
                  + "` is kept by Git LFS, whose contents this server cannot "
                    "deliver to the upstream; take it out of Git LFS (`git lfs "
                    "untrack`, then `git add --renormalize .` and amend), or "
                    "end the session by DELETE, which keeps the contents under "
                    "a rescue ref"};
}

[[noreturn]] void refuse_gone(const checkin_spec& spec) {
  auto kept = "refs/greenroom/rescue/" + spec.session.paths().session_id
              + "/heads/" + spec.branch;
  throw refused{errc::conflict,
                "branch \"" + spec.branch
                  + "\" is gone from the upstream; end this session by DELETE, "
                    "which keeps its work as "
                  + kept
                  + ", and start another one with that as from_ref and any "
                    "new_branch"};
}

void push(const checkin_spec& spec, const std::string& tip) {
  std::optional<std::string> expected;
  if (!spec.new_branch)
    expected = spec.base_commit;
  for (int i = 0; i < max_pushes; ++i) {
    if (spec.mirror.push(spec.branch, tip, expected) == push_outcome::ok)
      return;
    spec.mirror.fetch();
    auto now = spec.mirror.resolve_branch(spec.branch);
    if (!now)
      refuse_gone(spec);
    if (spec.mirror.is_ancestor(tip, *now))
      return; // it got there before, and may have been built upon
    if (!spec.mirror.is_ancestor(*now, tip))
      break;
    expected = now;
  }
  refuse(spec.branch, "has moved in the upstream; fetch and merge it in the "
                      "session, then check in again");
}

} // namespace

rescue_result rescue(const rescue_spec& spec) {
  save_request request;
  request.by = spec.by;
  request.known = spec.mirror.tips();
  request.rescue_message = rescue_message(spec.session);
  auto saved = spec.session.save(request);
  auto work = only_here(spec.mirror, saved.named);
  take(spec.mirror, saved, tips_of(work));
  return keep(spec.mirror, spec.session.paths().session_id, work, saved.note,
              spec.push);
}

checkin_result checkin(const checkin_spec& spec) {
  auto saved = spec.session.save({spec.by, spec.mirror.tips(), spec.branch,
                                  spec.message, rescue_message(spec.session)});
  failpoint("checkin.committed");
  if (saved.lfs)
    refuse_lfs(*saved.lfs);
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
  // Before the push: after it there is no way back.
  std::erase_if(work, [&](const auto& one) {
    return tip && !one.name.starts_with("tags/")
           && spec.mirror.is_ancestor(one.id, *tip);
  });
  result.rescued = keep(spec.mirror, spec.session.paths().session_id, work,
                        saved.note, spec.push_rescued);
  failpoint("checkin.rescued");
  if (!tip)
    return result;
  result.commit = *tip;
  result.changed = *tip != spec.base_commit;
  if (result.changed || spec.new_branch)
    push(spec, *tip);
  failpoint("checkin.pushed");
  return result;
}

} // namespace greenroom::git
