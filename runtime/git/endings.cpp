#include "runtime/git/endings.hpp"

#include "messages/errors.hpp"
#include "runtime/base/fd.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace greenroom::git {

namespace {

// How often check-in looks again at an upstream that moves under its push.
constexpr int max_pushes = 3;

// A file without a name, beside the session: packs may not fit in memory.
unique_fd pack_file(const std::filesystem::path& checkout) {
  auto directory = checkout.parent_path();
  unique_fd fd{::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
  if (!fd)
    throw std::system_error(errno, std::generic_category(),
                            "cannot make a file in " + directory.string());
  return fd;
}

// `imported`: a commit that came before, to which no reference leads yet.
void import(const mirror& into, const session_place& place,
            const std::vector<std::string>& tips,
            const std::optional<std::string>& imported = std::nullopt) {
  auto fd = pack_file(place.checkout);
  auto known = into.tips();
  if (imported)
    known.push_back(*imported);
  if (write_pack(place, tips, known, fd.get()) > 0)
    into.import_pack(fd.get(), tips);
}

// `pushed`: a commit that the mirror has and the upstream is about to get.
rescue_result rescue_beside(const rescue_spec& spec,
                            const std::optional<std::string>& pushed) {
  session_place place{spec.checkout, spec.mirror.path()};
  auto work = named_commits(place);
  if (auto tree =
        save_tree(place, spec.by,
                  "Work that was not committed in session " + spec.session_id))
    work.emplace("tree", *tree);
  std::erase_if(work, [&](const auto& named) {
    const auto& commit = named.second;
    return spec.mirror.in_upstream(commit)
           || (pushed && spec.mirror.is_ancestor(commit, *pushed));
  });
  rescue_result result;
  if (work.empty())
    return result;
  std::vector<std::string> tips;
  for (const auto& [name, commit] : work)
    tips.push_back(commit);
  import(spec.mirror, place, tips, pushed);
  for (const auto& [name, commit] : work) {
    result.refs.push_back("refs/greenroom/rescue/" + spec.session_id + '/'
                          + name);
    spec.mirror.set_ref(result.refs.back(), commit);
  }
  result.upstream_failure = spec.mirror.push_refs(result.refs);
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
  return rescue_beside(spec, std::nullopt);
}

checkin_result checkin(const checkin_spec& spec) {
  session_place place{spec.checkout, spec.mirror.path()};
  if (status(place).branch == spec.branch)
    commit_all(place, spec.by, spec.message);
  auto tip = branch_tip(place, spec.branch);
  if (!tip && !spec.base_commit.empty())
    refuse(spec.branch, "is gone from the session's repository; make it "
                        "again, then check in");
  if (tip)
    import(spec.mirror, place, {*tip});

  checkin_result result;
  // Before the push: after it there is no way back.
  result.rescued =
    rescue_beside({spec.mirror, spec.checkout, spec.session_id, spec.by}, tip);
  if (!tip)
    return result;
  result.commit = *tip;
  result.changed = *tip != spec.base_commit;
  if (result.changed || spec.new_branch)
    push(spec, *tip);
  return result;
}

} // namespace greenroom::git
