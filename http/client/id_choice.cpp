#include "http/client/id_choice.hpp"

#include "http/client/errors.hpp"
#include "messages/ids.hpp"

#include <optional>
#include <utility>
#include <vector>

namespace greenroom::http::client {

namespace {

// Whether the server has what the target names.
asio::awaitable<bool> is_there(api_client& api, std::string target) {
  auto there = true;
  try {
    co_await api.get(std::move(target));
  } catch (const api_error& e) {
    if (e.status() != 404 && e.status() != 400)
      throw;
    there = false;
  }
  co_return there;
}

asio::awaitable<std::optional<review_ref>>
find_review(api_client& api, json projects, std::string word) {
  json likely = json::array();
  for (auto& one : projects) {
    review_ref it{one.get<std::string>(), word};
    const auto whole = is_id(word);
    if (whole) {
      const auto found = co_await is_there(api, it.path());
      if (found)
        co_return it;
      continue;
    }
    auto target = "/projects/" + escaped(it.project) + "/reviews";
    auto all = co_await get_all(api, std::move(target), "reviews");
    for (auto& review : all)
      if (review.value("id", "").starts_with(word))
        likely.push_back(
          {{"id", review.value("id", "")}, {"project", it.project}});
  }
  if (likely.empty())
    co_return std::nullopt;
  auto id = match_id(likely, "id", word);
  for (auto& one : likely)
    if (one["id"] == id)
      co_return review_ref{one["project"].get<std::string>(), id};
  co_return std::nullopt;
}

} // namespace

std::string match_id(const json& rows, const char* field,
                     const std::string& word) {
  std::vector<std::string> found;
  for (auto& one : rows) {
    auto id = one.value(field, "");
    if (id == word)
      return word;
    if (id.starts_with(word))
      found.push_back(std::move(id));
  }
  if (found.empty())
    return word;
  if (found.size() == 1)
    return found.front();
  std::string list;
  for (std::size_t i = 0; i < found.size() && i < 5; ++i)
    list += "\n  " + found[i];
  throw usage_error("\"" + word + "\" can mean several:" + list);
}

asio::awaitable<std::string> choose_id(api_client& api, std::string target,
                                       const char* list, std::string word) {
  if (is_id(word))
    co_return word;
  auto all = co_await get_all(api, std::move(target), list);
  co_return match_id(all, "id", word);
}

asio::awaitable<std::string> choose_exec(api_client& api, session_ref session,
                                         std::string word) {
  if (is_id(word))
    co_return word;
  const auto target = session.path() + "/execs";
  auto named = co_await is_there(api, target + '/' + escaped(word));
  if (named)
    co_return word;
  auto all = co_await get_all(api, target, "execs");
  co_return match_id(all, "exec_id", word);
}

asio::awaitable<review_ref> choose_review(api_client& api, std::string project,
                                          std::string word) {
  auto projects = co_await projects_to_search(api, std::move(project));
  auto found = co_await find_review(api, std::move(projects), word);
  if (!found)
    throw command_failed(exit_code::not_found,
                         "no review has an id like \"" + word
                           + "\"; `greenroom reviews` lists them");
  co_return *found;
}

} // namespace greenroom::http::client
