// What is asked of a session's checkout: state, diff, mergeability, its branch.
#include "runtime/git/session/git_service.hpp"

#include "messages/errors.hpp"
#include "runtime/git/common/refs.hpp"
#include "runtime/git/session/branch_position.hpp"
#include "runtime/git/session/checkin.hpp"

#include <nlohmann/json.hpp>

namespace greenroom {

namespace {

using nlohmann::ordered_json;

ordered_json or_null(const auto& value) {
  return value ? ordered_json(*value) : ordered_json();
}

std::string text_of(const ordered_json& object) {
  return object.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

const char* word_for(git::merge_answer answer) {
  switch (answer) {
    case git::merge_answer::clean:
      return "clean";
    case git::merge_answer::conflict:
      return "conflict";
    case git::merge_answer::up_to_date:
      return "up_to_date";
    case git::merge_answer::fast_forward:
      return "fast_forward";
  }
  return "";
}

// More than these nobody reads.
constexpr std::size_t max_unpublished = 100;

// In words what an end would keep under rescue refs, beside the branch and what
// is not committed; null where that takes a look at more than there is time
// for.
ordered_json names_to_keep(const std::string& branch,
                           const git::checkout_state& now,
                           const git::mirror& mirror) {
  if (!now.named)
    return nullptr;
  auto others = *now.named;
  std::erase_if(others, [own = "heads/" + branch](const auto& one) {
    return one.name == own;
  });
  auto words = ordered_json::array();
  try {
    for (const auto& one : git::only_here(mirror, std::move(others)))
      if (words.size() < max_unpublished)
        words.push_back(one.holds);
  } catch (const refused&) {
    return nullptr;
  }
  return words;
}

} // namespace

git::sandboxed_git git_service::in_asked_session(const ask_checkout& request,
                                                 const git::mirror& mirror) {
  const auto key = git::question_key(request.project.id, request.session.id);
  return in_session(request.session, mirror).until(questions_.watch(key));
}

git_answer git_service::run(const ask_checkout& request) {
  switch (request.what.what) {
    case git_question::state:
      return {shared_text{state(request)}};
    case git_question::mergeability:
      return {shared_text{mergeability(request)}};
    case git_question::diff:
      break;
  }
  return {shared_text{diff(request)}};
}

// From where HEAD left what it began with, or the default branch, whichever is
// later: after a rebase other people's changes are no part of it.
std::string git_service::diff(const ask_checkout& request) {
  const auto& session = request.session;
  auto mirror = open(request.project);
  std::vector<std::string> bases;
  if (!session.base_commit.empty())
    bases.push_back(session.base_commit);
  if (auto tip = mirror.resolve_branch(default_of(request.project, mirror)))
    bases.push_back(*tip);
  return in_asked_session(request, mirror).diff(bases);
}

// HEAD is compared with the upstream's branch of the session's name, and while
// there is none with the default branch.
std::string git_service::state(const ask_checkout& request) {
  auto mirror = open(request.project);
  std::optional<std::string> beside;
  std::optional<std::string> upstream;
  for (const auto& name :
       {request.session.branch, default_of(request.project, mirror)}) {
    beside = mirror.resolve_branch(name);
    upstream = name;
    if (beside)
      break;
    upstream.reset();
  }
  const auto now = in_asked_session(request, mirror).state(beside.value_or(""));
  const auto stop =
    questions_.watch(git::question_key(request.project.id, request.session.id));
  ordered_json answer{
    {"head", or_null(now.head)},
    {"branch", or_null(now.branch)},
    {"detached", !now.branch},
    {"upstream", or_null(upstream)},
    {"ahead", or_null(now.ahead)},
    {"behind", or_null(now.behind)},
    {"dirty_files", now.dirty_files},
    {"operation", or_null(now.operation)},
    {"unpublished",
     names_to_keep(request.session.branch, now, mirror.until(stop->get()))}};
  return text_of(answer);
}

std::string git_service::mergeability(const ask_checkout& request) {
  auto mirror = open(request.project);
  auto target = request.what.target.empty()
                  ? default_of(request.project, mirror)
                  : request.what.target;
  if (auto fault = git::name_fault(target))
    throw refused(errc::bad_request, "target " + *fault);
  auto tip = mirror.resolve_branch(target);
  if (!tip) {
    auto own = git::find_branch(session_dir(request.session.id) / "checkout",
                                request.session.branch);
    return text_of({{"mergeable", false},
                    {"status", "no_target"},
                    {"files", ordered_json::array()},
                    {"reason", nullptr},
                    {"target", target},
                    {"target_commit", nullptr},
                    {"commit", or_null(own.commit)},
                    {"dirty_files", nullptr}});
  }
  auto forecast = in_asked_session(request, mirror)
                    .forecast_merge(request.session.branch, *tip);
  auto text_or_null = [](const std::string& text) {
    return text.empty() ? ordered_json() : ordered_json(text);
  };
  auto commit = text_or_null(forecast.commit);
  auto reason = text_or_null(forecast.reason);
  return text_of({{"mergeable", forecast.answer != git::merge_answer::conflict},
                  {"status", word_for(forecast.answer)},
                  {"files", forecast.files},
                  {"reason", reason},
                  {"target", target},
                  {"target_commit", *tip},
                  {"commit", commit},
                  {"dirty_files", forecast.dirty_files}});
}

checkout_tip git_service::run(const poll_branch& request) {
  auto found = git::find_branch(session_dir(request.session.id) / "checkout",
                                request.session.branch);
  return {found.commit.value_or(""), found.checked_out};
}

} // namespace greenroom
