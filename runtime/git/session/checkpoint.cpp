#include "runtime/git/session/checkpoint.hpp"

#include "messages/errors.hpp"
#include "runtime/git/mirror/handles.hpp"
#include "runtime/git/session/checkpoint_commit.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace greenroom::git {

namespace {

std::string own_ref(const std::string& session_id) {
  return "refs/greenroom/checkpoints/" + session_id;
}

/// Where mirror::fetch_ref puts it.
std::string fetched_ref(const std::string& session_id) {
  return "refs/greenroom/asked/greenroom/checkpoints/" + session_id;
}

std::vector<std::string> ids_of(const std::vector<named_object>& work) {
  std::set<std::string> ids;
  for (const auto& one : work)
    ids.insert(one.id);
  return {ids.begin(), ids.end()};
}

// What an earlier version has pushed is under its own name only.
void note_known(const mirror& mirror, const std::string& session_id) {
  auto own = mirror.ref(own_ref(session_id));
  if (own && !mirror.ref(fetched_ref(session_id)))
    mirror.set_ref(fetched_ref(session_id), *own);
}

// Whether another node has the session now is for the caller to find out. Where
// it has not, this one goes on from what is there.
[[noreturn]] void fail(const mirror& mirror, const std::string& session_id,
                       const std::string& why) {
  if (why.find("stale info") == why.npos)
    throw refused{errc::unavailable, why};
  if (!mirror.fetch_ref(own_ref(session_id)))
    mirror.forget_ref(fetched_ref(session_id));
  throw refused{errc::conflict, "the upstream has another checkpoint than this "
                                "node has saved or gone on from"};
}

} // namespace

namespace {

bool keep(const checkpoint_spec& spec, saved_work saved) {
  const auto& id = spec.session.paths().session_id;
  if (saved.named.empty())
    return false; // not even a commit
  if (saved.pack)
    spec.mirror.import_pack(saved.pack->get(), ids_of(saved.named));
  auto repo = open_mirror(spec.mirror.path());
  auto commit = write_checkpoint(
    repo.get(), {id, spec.branch, std::move(saved.named), spec.by},
    spec.mirror.ref(own_ref(id)));
  if (!commit)
    return false;
  note_known(spec.mirror, id);
  spec.mirror.set_ref(own_ref(id), *commit);
  if (auto why = spec.mirror.push_refs({own_ref(id)})) {
    spec.mirror.forget_ref(own_ref(id)); // so that it is tried again
    fail(spec.mirror, id, *why);
  }
  spec.mirror.set_ref(fetched_ref(id), *commit);
  return true;
}

} // namespace

bool save_checkpoint(const checkpoint_spec& spec) {
  save_request request;
  request.by = spec.by;
  request.known = spec.mirror.tips();
  request.upstream = spec.mirror.upstream_tips();
  request.rescue_message =
    "Work that was not committed in session " + spec.session.paths().session_id;
  request.beside = true;
  auto saved = spec.session.save(request);
  auto complete = saved.complete;
  auto note = saved.note.value_or("");
  auto made = keep(spec, std::move(saved));
  // The session must not leave the rest behind.
  if (!complete)
    throw refused{errc::unavailable, note};
  return made;
}

std::optional<checkpoint> fetch_checkpoint(const mirror& mirror,
                                           const std::string& session_id,
                                           const std::string& branch) {
  auto there = mirror.fetch_ref(own_ref(session_id));
  // Another node may have made one since, over the last of this one.
  mirror.forget_ref(own_ref(session_id));
  if (!there)
    return std::nullopt;
  auto commit = mirror.ref(fetched_ref(session_id));
  if (!commit)
    return std::nullopt;
  auto found = read_checkpoint(open_mirror(mirror.path()).get(), *commit);
  checkpoint result;
  result.commit = *commit;
  result.saved_at = found.saved_at;
  auto tip = std::ranges::find(found.named, "heads/" + branch,
                               &object_names::value_type::first);
  if (tip != found.named.end()) {
    result.tip = std::move(tip->second);
    found.named.erase(tip);
  }
  result.others = sort_out(found.named, *commit);
  return result;
}

std::vector<named_object> last_checkpoint(const mirror& mirror,
                                          const std::string& session_id) {
  auto commit = mirror.ref(own_ref(session_id));
  if (!commit)
    commit = mirror.ref(fetched_ref(session_id));
  if (!commit)
    return {};
  auto found = read_checkpoint(open_mirror(mirror.path()).get(), *commit);
  constexpr const char* since = ", as in the last checkpoint";
  std::vector<named_object> result;
  if (found.dirty)
    result.push_back({"tree", *commit, std::string{"the files"} + since});
  for (const auto& [name, id] : found.named)
    result.push_back({name, id, name + since});
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
