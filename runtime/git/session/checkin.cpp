#include "runtime/git/session/checkin.hpp"

#include "messages/errors.hpp"
#include "runtime/base/failpoint.hpp"

#include <algorithm>
#include <set>

namespace greenroom::git {

namespace {

using commits = std::map<std::string, std::string>; // by name

// How often check-in looks again at an upstream that moves under its push.
constexpr int max_pushes = 3;

std::string rescue_message(const sandboxed_git& session) {
  return "Work that was not committed in session " + session.place().session_id;
}

// What is nowhere in the upstream, as far as the mirror knows.
commits only_here(const mirror& mirror, const commits& work) {
  std::map<std::string, bool> asked; // many names may lead to one commit
  commits result;
  for (const auto& [name, commit] : work) {
    auto [found, fresh] = asked.emplace(commit, false);
    if (fresh)
      found->second = mirror.in_upstream(commit);
    if (!found->second)
      result.emplace(name, commit);
  }
  return result;
}

std::vector<std::string> tips_of(const commits& work) {
  std::set<std::string> tips;
  for (const auto& [name, commit] : work)
    tips.insert(commit);
  return {tips.begin(), tips.end()};
}

void take(const mirror& mirror, const saved_work& saved,
          const std::vector<std::string>& tips) {
  if (saved.pack && !tips.empty())
    mirror.import_pack(saved.pack->get(), tips);
}

// What such a name stands for, to the user.
std::string in_words(std::string_view name) {
  auto kind = name.substr(0, name.find('/'));
  std::string rest{name.substr(std::min(kind.size() + 1, name.size()))};
  if (kind == "tree")
    return "what was not committed";
  if (kind == "detached")
    return "HEAD, which was on no branch";
  if (kind == "heads")
    return "branch " + rest;
  if (kind == "tags")
    return "tag " + rest;
  if (kind == "odd")
    return "a branch or tag of an unusual name";
  constexpr std::string_view stash = "stash";
  auto number =
    kind.size() > stash.size() ? kind.substr(stash.size() + 1) : "0";
  return "stash@{" + std::string{number} + '}';
}

// The objects are in the mirror already.
rescue_result keep(const mirror& mirror, const std::string& session_id,
                   const commits& work) {
  rescue_result result;
  std::vector<std::string> refs;
  for (const auto& [name, commit] : work) {
    refs.push_back("refs/greenroom/rescue/" + session_id + '/' + name);
    mirror.set_ref(refs.back(), commit);
    result.refs.push_back({refs.back(), commit, in_words(name)});
  }
  if (!refs.empty())
    result.upstream_failure = mirror.push_refs(refs);
  return result;
}

[[noreturn]] void refuse(const std::string& branch, const char* what) {
  throw refused{errc::conflict, "branch \"" + branch + "\" " + what};
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
      refuse(spec.branch, "is gone from the upstream; push it there from the "
                          "session, then check in again");
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
  return keep(spec.mirror, spec.session.place().session_id, work);
}

checkin_result checkin(const checkin_spec& spec) {
  auto saved = spec.session.save({spec.by, spec.mirror.tips(), spec.branch,
                                  spec.message, rescue_message(spec.session)});
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
  // Before the push: after it there is no way back.
  std::erase_if(work, [&](const auto& named) {
    return tip && spec.mirror.is_ancestor(named.second, *tip);
  });
  result.rescued = keep(spec.mirror, spec.session.place().session_id, work);
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
