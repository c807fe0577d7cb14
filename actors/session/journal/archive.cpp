// Execs of a session that are in its timeline only.
#include "actors/session/journal/session_files.hpp"

#include "messages/shortage.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/exec/spec.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <functional>

namespace greenroom::journal {

namespace {

// For the exception that is being handled.
refusal why_not(const char* what, const std::exception& e) {
  auto why = refusal_of(std::current_exception());
  spdlog::error("{} failed: {}", what, e.what());
  if (why.code == errc::internal)
    why.message = std::string{"internal error: "} + what + " failed";
  return why;
}

} // namespace

// What the last event said of it, and what was asked for.
exec_record session_files::load(const archived_exec& place) const {
  exec_record exec;
  if (auto request = kept_request(exec_dir(place.exec_id)))
    exec.spec = std::move(*request);
  exec.spec.exec_id = place.exec_id;
  auto entries = timeline_reader{dir_}.entries(place.exited - 1, 1, 1);
  if (!entries.empty())
    read_exec_json(entries.front().data, exec);
  return exec;
}

std::optional<any_result> session_files::operator()(archive_exec& what) {
  if (archive_)
    archive_->add(std::move(what.exec));
  return std::nullopt;
}

std::optional<any_result> session_files::operator()(recall_exec& what) {
  exec_recalled result;
  result.exec_id = what.exec_id;
  try {
    if (auto place = archive_ ? archive_->find(what.exec_id) : std::nullopt) {
      result.exec = load(*place);
      result.place = *place;
    }
  } catch (const std::exception& e) {
    result.problem = why_not("looking up an exec", e);
  }
  return result;
}

std::optional<any_result> session_files::operator()(list_page& what) {
  try {
    return make_page(
      what, archive_ ? archive_->all() : std::vector<archived_exec>{},
      [this](const archived_exec& place) {
        return to_text(exec_json(project_id_, id_, load(place), {}));
      });
  } catch (const std::exception& e) {
    page_listed result;
    result.who = what.who;
    result.problem = why_not("listing execs", e);
    return result;
  }
}

page_listed
make_page(list_page& what, std::vector<archived_exec> archived,
          const std::function<std::string(const archived_exec&)>& json_of) {
  page_listed result;
  result.who = what.who;
  struct entry {
    archived_exec exec;
    bool in_memory = false;
  };
  std::vector<entry> all;
  for (auto& exec : archived)
    all.push_back({std::move(exec), false});
  for (auto& exec : what.in_memory)
    all.push_back({std::move(exec), true});
  std::ranges::stable_sort(all, {},
                           [](const entry& one) { return one.exec.queued; });
  std::ranges::reverse(all);
  auto next = all.begin();
  if (!what.cursor.empty()) {
    next = std::ranges::find(all, what.cursor,
                             [](const entry& one) { return one.exec.exec_id; });
    if (next == all.end()) {
      result.problem =
        refusal{errc::bad_request, "cursor is not one that this server gave"};
      return result;
    }
    ++next;
  }
  std::size_t bytes = 0;
  for (; next != all.end(); ++next) {
    result.more = (what.limit != 0 && result.items.size() == what.limit)
                  || bytes > what.max_bytes;
    if (result.more)
      break;
    auto json = next->in_memory ? std::string{} : json_of(next->exec);
    bytes += json.size();
    result.items.push_back({std::move(next->exec.exec_id), std::move(json)});
  }
  return result;
}

} // namespace greenroom::journal
